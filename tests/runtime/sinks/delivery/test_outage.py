"""Reports of outages: each reason once, and a connection that flaps does not fill the log."""

from __future__ import annotations

from cmsn_runtime.sinks.delivery.outage import Outage


def test_each_reason_is_reported_once_and_the_end_too() -> None:
    lines: list[str] = []
    outage = Outage("x", lines.append)
    for reason in ("broke", "refused", "refused", "broke"):
        outage.begins(reason, waiting=3)
        assert outage.lasts
    outage.ends(waiting=4)
    outage.ends(waiting=0)
    assert not outage.lasts
    assert lines == [
        "x: broke; events wait in the spool until it is back (3 now)",
        "x: refused; events wait in the spool until it is back (3 now)",
        "x: is back; 4 events waited for it",
    ]


def test_outages_soon_after_a_reported_one_are_counted_and_reported_with_the_next() -> None:
    lines: list[str] = []
    outage = Outage("x", lines.append, quiet_seconds=3600)
    for _ in range(10):
        outage.begins("broke", waiting=1)
        outage.ends(waiting=1)
    assert len(lines) == 2
    outage._quiet_seconds = 0
    outage.begins("broke", waiting=1)
    assert lines[2] == "x: broke, after 9 short outages; events wait in the spool until it is back (1 now)"


def test_one_that_lasts_is_reported_however_soon_it_follows() -> None:
    lines: list[str] = []
    outage = Outage("x", lines.append, quiet_seconds=3600)
    outage.begins("broke", waiting=1)
    outage.ends(waiting=1)
    outage.begins("broke", waiting=1)
    outage._quiet_seconds = 0  # the time is over
    outage.begins("broke", waiting=7)
    outage.ends(waiting=8)
    assert lines[2:] == [
        "x: broke; events wait in the spool until it is back (7 now)",
        "x: is back; 8 events waited for it",
    ]
