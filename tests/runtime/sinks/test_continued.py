"""Text outputs of live runs: restarts, crashes and rotated logs lose nothing and spoil nothing."""

from __future__ import annotations

import csv
import json
import os
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_runtime.events import Event, Proposal
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sinks.csv_file import COLUMNS
from cmsn_runtime.sinks.kinds import SinkContext, find_sink
from cmsn_runtime.sinks.threaded import ThreadedSink, ThreadLimits
from cmsn_runtime.state import state_folder

HEAD = ",".join(COLUMNS)


def event(number: int) -> Event:
    return Event("final", number, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3))


def opened(kind: str, path: Path, lines: list[str] | None = None, **table: object) -> Sink:
    context = SinkContext(Fraction(1), live=True, folder=path.parent, report=([] if lines is None else lines).append)
    open_table = find_sink(kind).open_table
    assert open_table is not None
    return open_table({"path": path.name, **table}, context)


def write(sink: Sink, *numbers: int, source: str = "a") -> None:
    sink.begin(source, None)
    for number in numbers:
        sink.event(source, event(number))
    sink.end(source, Ending(None))


def actions(path: Path) -> list[int]:
    text = path.read_text()
    if path.suffix == ".csv":
        head, *rows = csv.reader(text.splitlines())
        assert tuple(head) == COLUMNS
        return [int(row[1]) for row in rows]
    return [json.loads(line)["action"] for line in text.splitlines()]


KINDS = [("json", "found.jsonl"), ("csv", "found.csv")]


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_restart_continues_the_file(kind: str, name: str, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        with opened(kind, tmp_path / name) as sink:
            write(sink, number)
    assert actions(tmp_path / name) == [1, 2, 3]


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_run_that_is_not_live_replaces_it(kind: str, name: str, tmp_path: Path) -> None:
    for number in (1, 2):
        with find_sink(kind).open(str(tmp_path / name), SinkContext(Fraction(1))) as sink:
            write(sink, number)
    assert actions(tmp_path / name) == [2]


@pytest.mark.parametrize(("kind", "name"), KINDS)
@pytest.mark.parametrize("left", [1, 2, 5, 9, 20, 40])
def test_a_last_line_that_was_cut_short_does_not_spoil_the_next(
    kind: str, name: str, left: int, tmp_path: Path
) -> None:
    path = tmp_path / name
    with opened(kind, path) as sink:
        write(sink, 1)
        write(sink, 2, source='"a, b"')
    content = path.read_bytes()
    before, last = content[:-1].rsplit(b"\n", 1)
    path.write_bytes(before + b"\n" + last[: min(left, len(last) - 1)])
    lines: list[str] = []
    with opened(kind, path, lines) as sink:
        write(sink, 3)
    assert actions(path) == [1, 3]
    assert len(lines) == 1 and "incomplete" in lines[0]


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_whole_last_line_without_its_break_is_kept(kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with opened(kind, path) as sink:
        write(sink, 1)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    with opened(kind, path) as sink:
        write(sink, 2)
    assert actions(path) == [1, 2]


def test_columns_that_were_cut_short_are_written_again(tmp_path: Path) -> None:
    (tmp_path / "found.csv").write_text(HEAD[:9])
    with opened("csv", tmp_path / "found.csv") as sink:
        write(sink, 1)
    assert actions(tmp_path / "found.csv") == [1]


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_another_file_is_not_appended_to(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("notes of mine")
    with pytest.raises(OutputError, match="holds something else already"):
        opened(kind, tmp_path / name)
    assert (tmp_path / name).read_text() == "notes of mine"


@pytest.mark.parametrize(("kind", "name"), KINDS)
@pytest.mark.parametrize("how", ["moved", "removed", "moved and created", "copied and emptied"])
def test_after_a_rotation_the_file_begins_anew(kind: str, name: str, how: str, tmp_path: Path) -> None:
    path, old = tmp_path / name, tmp_path / f"old{Path(name).suffix}"
    with opened(kind, path) as sink:
        write(sink, 1, 2)
        if how == "removed":
            path.unlink()
        elif how == "copied and emptied":
            old.write_bytes(path.read_bytes())
            os.truncate(path, 0)
        else:
            path.rename(old)
            if "created" in how:
                path.touch()
        write(sink, 3, 4)
    assert actions(path) == [3, 4]
    assert how == "removed" or actions(old) == [1, 2]


def test_a_pipe_is_opened_only_when_something_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    opened("json", path).close()
    with opened("csv", path) as sink:
        got: list[str] = []
        reader = threading.Thread(target=lambda: got.append(path.read_text()))
        reader.start()
        write(sink, 1)
    reader.join(10)
    assert got[0].splitlines()[0] == HEAD and len(got[0].splitlines()) == 2


def test_a_pipe_that_nobody_reads_holds_up_neither_events_nor_the_end(tmp_path: Path) -> None:
    path, lines = tmp_path / "pipe", list[str]()
    os.mkfifo(path)
    begun = time.monotonic()
    threaded = ThreadedSink(opened("json", path), ThreadLimits(drain_seconds=0.5), on_report=lines.append)
    write(threaded, *range(1000))
    threaded.close()
    assert time.monotonic() - begun < 2
    assert len(lines) == 1 and lines[0].endswith("not written: 999 final and what it was writing")
    with path.open("rb") as reader:  # the thread goes on, and ends
        threaded._thread.join(10)
        assert b'"action": 0' in reader.read()


def test_a_table_may_choose_the_events(tmp_path: Path) -> None:
    with opened("json", tmp_path / "found.jsonl", events="final") as sink:
        sink.event("a", Event("provisional", 1, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3)))
        write(sink, 2)
    assert actions(tmp_path / "found.jsonl") == [2]


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_an_unknown_field_of_a_table_is_named(kind: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'paht', which is unknown"):
        opened(kind, tmp_path / name, paht="x")


def test_the_folder_of_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMSN_STATE_DIR", str(tmp_path))
    assert state_folder("site") == tmp_path
    monkeypatch.delenv("CMSN_STATE_DIR")
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path / 'b'}:/var/lib/other")
    assert state_folder("site") == tmp_path / "b"
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "c"))
    assert state_folder("site") == tmp_path / "c" / "cmsn" / "site"
