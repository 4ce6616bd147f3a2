"""Outputs are compared with each other and with every input, and tried, before anything is read or written."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from command_line import cmsn, cmsn_process, finals, shell

from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_runtime.files import STDOUT
from cmsn_runtime.sinks.places import Place, require_separate, source_places


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """file, its links "link" and "hard"; folder "inside" with a "file"; all with content."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inside").mkdir()
    for name in ("file", "other", "inside/file"):
        (tmp_path / name).write_text("old")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "hard").hardlink_to("file")
    (tmp_path / "dangling").symlink_to("new")
    (tmp_path / "up").symlink_to("inside/..")
    return tmp_path


SAME = [
    ("file", "file"),
    ("file", "./file"),
    ("file", "inside/../file"),
    ("file", "up/file"),
    ("file", "link"),
    ("file", "hard"),
    ("link", "hard"),
    ("new", "new"),
    ("new", "dangling"),
    ("new", "inside/../new"),
    ("-", "-"),
    ("-", "/dev/stdout"),
    ("/dev/fd/1", "/proc/self/fd/1"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_outputs_to_one_file_are_refused(folder: Path, one: str, other: str) -> None:
    with pytest.raises(SettingsError, match=r"--one .* and --other .* are the same"):
        require_separate([Place("--one", Path(one)), Place("--other", Path(other))], [])
    assert (folder / "file").read_text() == "old"


@pytest.mark.parametrize(("output", "read"), [*SAME[:7], ("inside/new", "inside"), ("inside/file", "up/inside")])
def test_an_output_that_is_an_input_is_refused(folder: Path, output: str, read: str) -> None:
    with pytest.raises(SettingsError, match=r"--one .* would overwrite the truth"):
        require_separate([Place("--one", Path(output))], [Place("the truth", Path(read))])
    assert (folder / "file").read_text() == "old"


@pytest.mark.parametrize("address", ["file", "file:file", "file.h5::a/b"])
def test_an_output_to_the_file_behind_a_source_is_refused(folder: Path, address: str) -> None:
    (folder / "file.h5").touch()
    output = Path(address.removeprefix("file:").partition("::")[0])
    with pytest.raises(SettingsError, match="overwrite the source"):
        require_separate([Place("--one", output)], source_places([address]))


@pytest.mark.parametrize("address", ["inside/*.png", "inside/img_%03d.png", "up/inside/img_???.png", "inside"])
@pytest.mark.parametrize("there", [True, False])
def test_an_output_among_the_pictures_of_a_sequence_is_refused(folder: Path, address: str, there: bool) -> None:
    picture = folder / "inside/img_001.png"
    if there:
        picture.touch()
    with pytest.raises(SettingsError, match="overwrite the source"):
        require_separate([Place("--one", picture)], source_places([address]))
    require_separate([Place("--one", folder / "img_001.png")], source_places([address]))


@pytest.mark.parametrize("address", ["rtsp://camera/file", "http://host/file", "a\0b"])
def test_addresses_are_not_compared_as_files(folder: Path, address: str) -> None:
    assert source_places([address]) == []


def test_outputs_to_different_files_are_accepted(folder: Path) -> None:
    outputs = [Place(f"--{name}", Path(name)) for name in ("file", "other", "new", "inside/new", "-")]
    require_separate(outputs, [Place("the truth", Path("missing")), Place("the bundle", Path("up/nothing"))])
    assert sorted(entry.name for entry in folder.iterdir()) == [
        *("dangling", "file", "hard", "inside", "link", "other", "up"),
    ]


def test_several_outputs_may_go_to_a_device() -> None:
    null = Path(os.devnull)
    require_separate([Place("--one", null), Place("--other", null)], [])


def test_two_outputs_to_one_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    pipe = tmp_path / "pipe"
    with pytest.raises(SettingsError, match="are the same"):
        require_separate([Place("--one", pipe), Place("--other", pipe)], [])


@pytest.mark.parametrize("name", ["n" * 256, "no/such/folder/x", "inside", "file/x", "/proc/x"])
def test_an_output_that_cannot_be_written_is_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(OutputError, match=f"{name}: cannot be written"):
        require_separate([Place("--one", Path(name))], [])


OPTIONS = ["--json", "--csv", "--results", "--timeline"]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("where", ["a source", "the truth", "a file of the bundle", "a link to a source"])
def test_an_output_never_destroys_an_input(
    video: Path, tiny_bundle: Path, tmp_path: Path, option: str, where: str
) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text('{"database": {"action": {"annotations": []}}}')
    (tmp_path / "link").symlink_to(video)
    path = {
        "a source": video,
        "the truth": truth,
        "a file of the bundle": tiny_bundle / "manifest.json",
        "a link to a source": tmp_path / "link",
    }[where]
    before = path.read_bytes()
    done = cmsn("run", video, "--bundle", tiny_bundle, "--truth", truth, option, path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and f"{option} " in line and "would overwrite" in line
    assert path.read_bytes() == before


@pytest.mark.parametrize("option", OPTIONS)
def test_an_output_that_cannot_be_written_is_reported_before_the_first_frame(
    video: Path, tiny_bundle: Path, tmp_path: Path, option: str
) -> None:
    """And nothing else is touched: a run that cannot begin leaves what an earlier one wrote."""
    other = tmp_path / "old"
    other.write_text("old")
    beside = "--csv" if option != "--csv" else "--json"
    done = cmsn("run", video, "--bundle", tiny_bundle, option, video / "x.png", beside, other)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert "x.png: cannot be written (Not a directory)" in line
    assert other.read_text() == "old"


def test_standard_output_takes_any_output(video: Path, tiny_bundle: Path) -> None:
    lines = cmsn("run", video, "--bundle", tiny_bundle, "--json", "-")
    assert finals(lines.stdout)
    table = cmsn("run", video, "--bundle", tiny_bundle, "--csv", "-")
    assert [row["rank"] for row in csv.DictReader(table.stdout.splitlines())][:1] == ["1"]
    results = cmsn("run", video, "--bundle", tiny_bundle, "--results", "-")
    assert json.loads(results.stdout)["results"]["action"]


def test_standard_output_takes_a_picture(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = shell(
        'cmsn run "$video" --bundle "$bundle" --timeline - > "$out"',
        video=video,
        bundle=tiny_bundle,
        out=tmp_path / "p",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p").read_bytes().startswith(b"\x89PNG")


def test_two_outputs_on_standard_output_are_refused(video: Path, tiny_bundle: Path) -> None:
    for second in ("-", "/dev/stdout"):
        done = cmsn("run", video, "--bundle", tiny_bundle, "--json", "-", "--csv", second)
        assert (done.returncode, done.stdout) == (1, "")
        assert "are the same" in done.stderr


def test_a_file_behind_standard_output_is_no_second_output(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    done = shell(
        'cmsn run "$video" --bundle "$bundle" --csv "$out" > "$out"',
        video=video,
        bundle=tiny_bundle,
        out=tmp_path / "o",
    )
    assert done.returncode == 1 and "standard output" in done.stderr


def test_other_programs_take_an_output(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """The shell's >(...), and /dev/fd of a file that is appended to."""
    script = (
        'cmsn run "$video" --bundle "$bundle" --quiet --results >(cat > "$got") 3>>"$log" --csv /dev/fd/3; '
        'for _ in $(seq 100); do [ -s "$got" ] && break; sleep 0.1; done'
    )
    (tmp_path / "log").write_text("before\n")
    done = shell(script, video=video, bundle=tiny_bundle, got=tmp_path / "got", log=tmp_path / "log")
    assert done.stderr == ""
    assert json.loads((tmp_path / "got").read_text())["results"]["action"]
    assert (tmp_path / "log").read_text().startswith("before\nsource,action")


def test_every_source_gets_a_picture_whatever_it_is_called(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    names = ["n" * 250, "a\nb", "\u202eabc", "c:d", "été"]
    sources = [Path(shutil.copy(video, tmp_path / f"{name}.mp4")) for name in names]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    done = cmsn("run", *sources, "--bundle", tiny_bundle, "--timeline", pictures / "t.png", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(pictures.glob("t-*.png"))) == len(names)


def test_a_source_that_cannot_be_opened_leaves_the_old_results(tiny_bundle: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text("old")
    done = cmsn("run", tmp_path / "missing.mp4", "--bundle", tiny_bundle, "--results", results)
    assert done.returncode == 1
    assert results.read_text() == "old"


def test_an_installed_sink_is_chosen_by_its_name(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    done = cmsn("run", video, "--bundle", tiny_bundle, "--sink", f"csv={tmp_path / 'a=b.csv'}", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a=b.csv").read_text().startswith("source,")


def test_the_custom_sink_of_the_documentation_works(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    docs = (Path(__file__).parents[3] / "docs/outputs.md").read_text(encoding="utf-8")
    section = docs.partition("\n## An output of your own\n")[2]
    code, line = (section.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("python", "toml"))
    package = tmp_path / "site/my_package"
    package.mkdir(parents=True)
    (package / "counting.py").write_text(code)
    (tmp_path / "site/my-1.dist-info").mkdir()
    (tmp_path / "site/my-1.dist-info/METADATA").write_text("Name: my\nVersion: 1\n")
    name, _, value = line.splitlines()[1].replace('"', "").partition(" = ")
    (tmp_path / "site/my-1.dist-info/entry_points.txt").write_text(f"[cmsn.sinks]\n{name} = {value}\n")
    environment = {"PYTHONPATH": str(tmp_path / "site")}
    count = tmp_path / "n.txt"
    done = cmsn_process("run", video, "--bundle", tiny_bundle, "--sink", f"count={count}", environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(count.read_text()) == len(finals(done.stdout)) > 0
    blocked = cmsn_process("run", video, "--bundle", tiny_bundle, "--sink", f"count={video}", environment=environment)
    assert "--sink count (" in blocked.stderr and "would overwrite the source" in blocked.stderr


@pytest.mark.parametrize(
    ("text", "why"), [("cvs=x", "the output is 'cvs'; it must be one of clips, csv, json"), ("csv", "NAME=VALUE")]
)
def test_an_unknown_kind_of_output_is_one_line(video: Path, tiny_bundle: Path, text: str, why: str) -> None:
    done = cmsn("run", video, "--bundle", tiny_bundle, "--sink", text)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and why in line


def test_standard_output_is_written_as_a_dash() -> None:
    assert Path("-") == STDOUT
