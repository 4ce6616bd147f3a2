"""The measurement of delivery, in short: what it must show holds."""

from __future__ import annotations

from pathlib import Path

from external import require_program

from cmsn_benchmarks.live.broker import MOSQUITTO
from cmsn_benchmarks.live.delivery import measure_full, measure_mqtt, measure_webhook


def test_nothing_is_lost_when_the_broker_ends_four_times_and_the_program_is_killed_three_times(tmp_path: Path) -> None:
    require_program(MOSQUITTO, "mosquitto_passwd")
    found = measure_mqtt(tmp_path, events=240, events_per_second=100)
    assert (found.broker_ended, found.program_killed) == (4, 3)
    assert found.sent >= 240 and found.lost == 0 and found.disordered == 0


def test_nothing_is_lost_when_a_webhook_fails_half_the_time_and_the_program_is_killed_three_times(
    tmp_path: Path,
) -> None:
    found = measure_webhook(tmp_path, events=120, events_per_second=60)
    assert found.program_killed == 3 and found.sent >= 120
    assert found.lost == 0 and found.disordered == 0 and found.doubled > 0


def test_what_a_full_spool_loses_is_counted_and_finals_go_last(tmp_path: Path) -> None:
    found = measure_full(tmp_path, events=600)
    assert found.uncounted == 0 and sum(found.lost.values()) > 100
    assert found.arrived["final"] == found.sent["final"] and "final" not in found.lost
