"""Output files: what is there survives a failure; links, devices and pipes stay what they are."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from cmsn_runtime.errors import OutputError
from cmsn_runtime.files import Replacement, replacing, require_writable, write_whole


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert (path.read_text(), names(tmp_path)) == ("old", ["out"])


def test_the_new_file_is_there_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with replacing(path) as unfinished:
        unfinished.write_text("new")
        assert not path.exists()
    assert (path.read_text(), names(tmp_path)) == ("new", ["out"])


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_permissions_of_a_replaced_file_are_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "out"
    path.touch()
    path.chmod(mode)
    write_whole(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "out", b"new")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("there", [True, False])
def test_symbolic_links_are_followed(tmp_path: Path, hops: int, there: bool) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target = folder / "target"
    if there:
        target.write_text("old")
    for hop in range(hops):
        link = tmp_path / f"link{hop}"
        link.symlink_to(target if hop == 0 else f"link{hop - 1}")
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (target.read_text(), names(folder)) == ("new", ["target"])


def test_a_pipe_is_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write_whole(path, b"new")
    reader.join(timeout=30)
    assert got == [b"new"]
    assert (path.is_fifo(), names(tmp_path)) == (True, ["pipe"])


def test_a_device_is_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "link"
    path.symlink_to(os.devnull)
    write_whole(path, b"new")
    assert path.is_char_device() and path.is_symlink()


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "{folder}/link"])
def test_an_open_descriptor_is_written_at_its_position(tmp_path: Path, name: str) -> None:
    """As the shell's >> opened it: what was in the file before stays."""
    log = tmp_path / "log"
    log.write_text("before ")
    with log.open("a") as file:
        (tmp_path / "link").symlink_to(f"/dev/fd/{file.fileno()}")
        write_whole(Path(name.format(file.fileno(), folder=tmp_path)), b"after")
    assert log.read_text() == "before after"


def test_a_full_device_is_reported() -> None:
    with pytest.raises(OutputError, match=r"/dev/full: cannot be written .*No space left"):
        write_whole(Path("/dev/full"), b"new")


WRONG = {
    "no folder": ("no/such/out", "No such file"),
    "a folder that is a file": ("file/out", "Not a directory"),
    "a name too long": ("n" * 256, "too long"),
    "a folder": ("folder", "Is a directory"),
    "a link that leads to itself": ("loop", "symbolic links"),
    "NUL": ("a\0b", "name"),
    "half a surrogate pair": ("\ud800", "name"),
}


@pytest.mark.parametrize(("name", "why"), WRONG.values(), ids=WRONG)
def test_a_path_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    before = names(tmp_path)
    with pytest.raises(OutputError, match=why), replacing(tmp_path / name):
        pytest.fail("found out too late")
    with pytest.raises(OSError):
        require_writable(tmp_path / name)
    assert names(tmp_path) == before


def test_the_proc_file_system_takes_no_files() -> None:
    with pytest.raises(OutputError, match="/proc/out"), replacing(Path("/proc/out")):
        pytest.fail("found out too late")


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "\udcff.json", "..json", " "])
def test_any_valid_file_name_can_be_written(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, b"new")
    assert names(tmp_path) == [name]


def test_checking_whether_a_path_can_be_written_changes_nothing(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("old")
    require_writable(there)
    require_writable(tmp_path / "new")
    assert (there.read_text(), names(tmp_path)) == ("old", ["there"])


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EXDEV])
def test_a_file_that_cannot_be_replaced_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """One that a container mounts by itself: its name belongs to the mount."""
    path = tmp_path / "out"
    path.write_text("something longer")

    def refuse(source: Path, target: Path) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "replace", refuse)
    write_whole(path, b"new")
    assert (path.read_text(), names(tmp_path)) == ("new", ["out"])


def test_file_and_folder_are_on_the_disk_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order: content, name, folder."""
    calls: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_sync(descriptor)

    def replace(source: Path, target: Path) -> None:
        calls.append("replace")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    write_whole(tmp_path / "out", b"new")
    assert calls == ["file", "replace", "folder"]


def test_the_temporary_file_is_made_at_the_start(tmp_path: Path) -> None:
    with Replacement(tmp_path / "out") as replacement:
        assert replacement.unfinished.parent == tmp_path
        assert replacement.unfinished.exists()
    assert names(tmp_path) == []
