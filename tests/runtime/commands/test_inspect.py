"""`cmsn inspect`: text from a manifest is shown as it is, nothing is cut in a file, and failures are one line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import at_terminal, cmsn, cmsn_process, command

from cmsn_runtime.manifest.contents import FeatureInput, Manifest
from cmsn_runtime.manifest.writing import write_manifest


def test_inspect_shows_what_is_in_a_bundle(tiny_bundle: Path) -> None:
    done = cmsn("inspect", tiny_bundle)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("extractor.onnx", "30000/1001 fps", "fp32 parity", "per camera 0.00 MB in fp32"):
        assert text in done.stdout


def test_a_damaged_bundle_is_one_line(tiny_bundle: Path) -> None:
    graph = tiny_bundle / "stages.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    done = cmsn("inspect", tiny_bundle)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "stages.onnx" in line


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda manifest: replace(manifest, name="demo [/red]"), "demo [/red], exported"),
        (lambda manifest: replace(manifest, name="[bold]demo[/bold] :smile:"), "[bold]demo[/bold] :smile:, exported"),
        (lambda manifest: replace(manifest, name="de\x1b[2Jmo\n\x9b31m"), r"de\x1b[2Jmo\n\x9b31m, exported"),
        (lambda manifest: replace(manifest, name="\u202eomed"), r"\u202eomed, exported"),
        (
            lambda manifest: replace(manifest, preprocessing=None, features=FeatureInput(3, "joints [x, y, z]")),
            "rows of 3 values: joints [x, y, z]",
        ),
        (lambda manifest: replace(manifest, training={"by [/]": {"a [b": ["[/c]"]}}), "by [/]"),
        (lambda manifest: replace(manifest, training={"by [/]": {"a [b": ["[/c]"]}}), "a [b ['[/c]']"),
    ],
)
@pytest.mark.parametrize("run", [lambda *words: cmsn(*words).stdout, lambda *words: at_terminal(*words)[1]])
def test_text_of_a_manifest_is_no_markup_and_steers_no_terminal(
    tiny_bundle: Path,
    tiny_manifest: Manifest,
    run: Callable[..., str],
    change: Callable[[Manifest], Manifest],
    shown: str,
) -> None:
    write_manifest(tiny_bundle, change(tiny_manifest))
    found = run("inspect", tiny_bundle)
    assert shown in found
    assert "\x9b" not in found
    assert "\x1b[2J" not in found


def test_the_name_of_a_folder_is_no_markup(tiny_bundle: Path) -> None:
    done = cmsn("inspect", tiny_bundle.rename(tiny_bundle.with_name("a[bold].cmsn")))
    assert "a[bold].cmsn: all files are unchanged since the export" in done.stdout


def test_json_output_is_the_manifest_byte_by_byte(tiny_bundle: Path, tiny_manifest: Manifest) -> None:
    write_manifest(tiny_bundle, replace(tiny_manifest, name="Köln \x9b31m"))
    done = subprocess.run(command("inspect", tiny_bundle, "--json"), capture_output=True, check=False, timeout=60)
    assert done.stdout == (tiny_bundle / "manifest.json").read_bytes()
    status, shown = at_terminal("inspect", tiny_bundle, "--json")
    assert status == 0
    assert r'"name": "Köln \x9b31m"' in shown
    assert shown.count("\n") == done.stdout.count(b"\n")


def test_output_to_a_pipe_is_not_cut_to_a_width(tiny_bundle: Path, tiny_manifest: Manifest) -> None:
    write_manifest(tiny_bundle, replace(tiny_manifest, training={"words": "word " * 60 + "end"}))
    found = cmsn_process("inspect", tiny_bundle, environment={"COLUMNS": "30"}).stdout
    assert "word " * 60 + "end" in found
    assert "…" not in found


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_inspect_onto_a_full_disk_is_one_line(tiny_bundle: Path, options: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full disk to try")
    with Path("/dev/full").open("w") as full:
        done = cmsn_process("inspect", tiny_bundle, *options, stdout=full.fileno())
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "No space left" in line


def test_settings_of_a_site_are_shown_with_the_values_they_change(tiny_bundle: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text("[proposals]\nmin_score = 0.3\n[tracking]\nsettle_steps = 8\n")
    done = cmsn("inspect", tiny_bundle, "--site", site, "--set", "tracking.revise_steps=2")
    assert "changed on site" in done.stdout
    assert "proposals.min_score 0.3 (bundle: 0.01), tracking.revise_steps 2 (bundle: 1) " in done.stdout
    assert "changed on site" not in cmsn("inspect", tiny_bundle).stdout


def test_site_settings_do_not_go_with_json(tiny_bundle: Path) -> None:
    done = cmsn("inspect", tiny_bundle, "--json", "--set", "tracking.revise_steps=2")
    assert done.returncode == 2
    assert "omit --site and --set" in done.stderr


def test_a_wrong_site_setting_is_refused(tiny_bundle: Path) -> None:
    done = cmsn("inspect", tiny_bundle, "--set", "tracking.revise_steps=0")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "tracking.revise_steps is 0; it must be at least 1" in line


def test_a_bundle_written_today_has_format_2(tiny_bundle: Path) -> None:
    assert json.loads(cmsn("inspect", tiny_bundle, "--json").stdout)["format_version"] == 2
