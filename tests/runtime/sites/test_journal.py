"""Log lines: one for each change, in the form that suits a terminal or systemd's journal, and without secrets."""

from __future__ import annotations

import logging
import re
import threading
from fractions import Fraction

import pytest

from cmsn_runtime.events import Notice
from cmsn_runtime.reporting import report
from cmsn_runtime.secrets import remember
from cmsn_runtime.sinks.base import Ending
from cmsn_runtime.sites.journal import JournalSink, logging_lines


@pytest.fixture(params=[False, True], ids=["stderr", "journal"])
def in_journal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    else:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    return bool(request.param)


def lines(text: str) -> list[str]:
    """Without times of day."""
    return [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ", "", line) for line in text.splitlines()]


def test_changes_of_a_camera_are_a_line_each(in_journal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_lines():
        sink = JournalSink()
        sink.begin("door", None)
        for seconds in (1, 2):
            sink.advance("door", Fraction(seconds))
        sink.event("door", Notice("source_lost", Fraction(2), "no frame for 5 s"))
        sink.event("door", Notice("source_back", Fraction(9), "after 7.0 s"))
        sink.end("door", Ending(Fraction(9)))
        sink.end("yard", Ending(None, "no such device"))
    information, warning = ("<6>", "<4>") if in_journal else ("", "warning: ")
    assert lines(capsys.readouterr().err) == [
        f"{information}door: opening",
        f"{information}door: running",
        f"{warning}door: source_lost: no frame for 5 s",
        f"{information}door: source_back: after 7.0 s",
        f"{information}door: ended",
        f"{warning}yard: ended: no such device",
    ]


class Broken:
    def __del__(self) -> None:
        raise ValueError("refused: c@nary/secret")


def test_everything_that_is_printed_is_scrubbed(in_journal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    remember("c@nary/secret")

    def fail() -> None:
        raise ValueError("refused: c@nary/secret")

    with logging_lines():
        report("cannot open c%40nary%2fsecret")
        logging.getLogger("some.library").warning("GET /?token=%s", "c@nary/secret")
        logging.getLogger("some.library").info("not shown")
        try:
            fail()
        except ValueError:
            logging.getLogger("some.library").exception("it failed")
        thread = threading.Thread(target=fail, name="t")
        thread.start()
        thread.join()
        broken = Broken()
        del broken
    text = capsys.readouterr().err
    assert "nary" not in text and "Traceback" not in text
    found = lines(text)
    assert len(found) == 5
    assert all("***" in line for line in found)


def test_a_camera_that_is_cut_again_and_again_is_a_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    clock = [100.0]
    monkeypatch.setattr("cmsn_runtime.sites.journal.time.monotonic", lambda: clock[0])
    with logging_lines():
        sink = JournalSink()
        for second in range(121):
            clock[0] = 100.0 + second
            sink.event("door", Notice("overload", Fraction(second), "too slow"))
        sink.event("yard", Notice("overload", Fraction(1), "too slow"))
    assert lines(capsys.readouterr().err) == [
        "warning: door: overload: too slow",
        "warning: door: overload: too slow (59 more since the last line)",
        "warning: door: overload: too slow (59 more since the last line)",
        "warning: yard: overload: too slow",
    ]


def test_reports_go_to_stderr_again_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_lines():
        pass
    report("a line")
    assert capsys.readouterr().err == "cmsn: error: a line\n"
