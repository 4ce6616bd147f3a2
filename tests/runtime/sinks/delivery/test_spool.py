"""The spool: what waits for a receiver outlives crashes, in order, within a bound, and what is lost is counted."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from cmsn_runtime.events import Event, Notice, Proposal
from cmsn_runtime.identity import Numbering
from cmsn_runtime.secrets import remember
from cmsn_runtime.sinks.delivery.messages import Message, message_of
from cmsn_runtime.sinks.delivery.spool import Spool, open_spool
from cmsn_runtime.sinks.delivery.spool_database import SpoolDatabase

MOST = 2**20


def message(number: int, kind: str = "final", size: int = 100) -> Message:
    return Message(f"site/door/run/{number:04}", "door", kind, b"x" * size)


def opened(folder: Path, lines: list[str] | None = None, *, most_bytes: int = MOST) -> Spool:
    return open_spool(folder, "hook", most_bytes=most_bytes, report=([] if lines is None else lines).append)


def keys(spool: Spool) -> list[int]:
    return [int(stored.message.key.rpartition("/")[2]) for stored in spool.after(0, -1)]


def test_messages_wait_in_order_until_they_are_acknowledged(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(5):
            spool.add(message(number))
        first, second, *_ = spool.after(0, 3)
        assert first.message == message(0) and keys(spool) == [0, 1, 2, 3, 4]
        spool.acknowledge(second.number)
        assert keys(spool) == [2, 3, 4] and spool.waiting == 3
        spool.acknowledge(second.number)
        assert spool.waiting == 3


def test_they_outlive_a_restart_and_numbers_go_on(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.add(message(1))
        spool.add(message(2))
    with opened(tmp_path) as spool:
        assert keys(spool) == [1, 2] and spool.waiting == 2 and spool.waiting_bytes == 2 * message(1).size
        spool.add(message(3))
        assert keys(spool) == [1, 2, 3]


CRASHING = """
import sys
from pathlib import Path
from cmsn_runtime.sinks.delivery.messages import Message
from cmsn_runtime.sinks.delivery.spool import open_spool
spool = open_spool(Path(sys.argv[1]), "hook", most_bytes=2**20, report=print)
number = 0
while True:
    number += 1
    spool.add(Message(f"site/door/run/{number}", "door", "final" if number % 2 else "provisional", b"x"))
    print(number, flush=True)
"""


def test_they_outlive_a_crash_whose_lock_is_free_again(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", CRASHING, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        last = [int(writer.stdout.readline()) for _ in range(50)][-1]
        os.kill(writer.pid, signal.SIGKILL)
        last = max([last, *(int(line) for line in writer.stdout.read().split())])
    with opened(tmp_path) as spool:
        assert spool.path.name == "hook.spool"
        assert keys(spool)[:last] == list(range(1, last + 1))


def test_when_it_is_full_the_oldest_that_may_change_go_first_and_finals_last(tmp_path: Path) -> None:
    lines: list[str] = []
    kinds = ["final", "provisional", "gap", "revised", "withdrawn", "final"]
    with opened(tmp_path, lines, most_bytes=6 * message(0).size) as spool:
        for number, kind in enumerate(kinds):
            spool.add(message(number, kind))
        assert not lines
        spool.add(message(6))
        spool.add(message(7))
        assert keys(spool) == [0, 2, 4, 5, 6, 7]
        spool.add(message(8, "provisional"))
        assert keys(spool) == [0, 2, 5, 6, 7, 8]
        spool.add(message(9))
        spool.add(message(10, "revised"))
        assert keys(spool) == [0, 2, 5, 6, 7, 9]
        spool.add(message(11))
        assert keys(spool) == [2, 5, 6, 7, 9, 11]
        expected = {"provisional": 2, "revised": 2, "withdrawn": 1, "final": 1}
        assert spool.lost == expected and len(lines) == 1 and "the spool is full" in lines[0]
    with opened(tmp_path, lines, most_bytes=6 * message(0).size) as spool:
        assert spool.lost == expected
        spool.add(message(12))
        spool.acknowledge(spool.after(0, -1)[-1].number)
        assert "is empty again; lost: 2 " in lines[-1] and len(lines) == 3


def test_one_that_never_fits_is_lost_alone_or_after_what_may_change(tmp_path: Path) -> None:
    with opened(tmp_path, most_bytes=1000) as spool:
        spool.add(message(1, "provisional", 2000))
        assert not spool.waiting and spool.lost == {"provisional": 1}


def test_the_file_stays_near_its_bound(tmp_path: Path) -> None:
    with opened(tmp_path, most_bytes=500_000) as spool:
        for number in range(3000):
            spool.add(message(number, "provisional", 1000))
        assert spool.waiting_bytes <= 500_000 and spool.waiting + spool.lost["provisional"] == 3000
        size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 500_000 * 1.5 + 1000 * 4096 * 1.2  # and SQLite's log of 1000 pages


def damage_header(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


def damage_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_header, damage_pages])
def test_a_damaged_file_is_moved_aside(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    with opened(tmp_path) as spool:
        spool.add(message(1))
    damage(tmp_path / "hook.spool")
    lines: list[str] = []
    with opened(tmp_path, lines) as spool:
        spool.add(message(2))
        assert keys(spool) == [2]
    assert len(lines) == 1 and "is damaged" in lines[0]
    assert len(list(tmp_path.glob("hook.damaged-*"))) == 1


def test_one_that_is_damaged_while_it_is_open_is_moved_aside_and_nothing_new_is_lost(tmp_path: Path) -> None:
    lines: list[str] = []
    with opened(tmp_path, lines) as spool:
        for number in range(9):
            spool.add(message(number, size=5000))
        sent = spool.after(0, -1)[-1].number
        with sqlite3.connect(spool.path) as other:
            other.execute("pragma wal_checkpoint(truncate)")
        other.close()
        damage_pages(spool.path)
        for number in range(9, 12):
            spool.add(message(number))
        assert [stored.number > sent for stored in spool.after(0, -1)] == [True] * spool.waiting
        assert keys(spool)[-3:] == [9, 10, 11] and spool.waiting == 3
    assert len(lines) == 1 and "is damaged" in lines[0]


def test_one_whose_replacement_fails_too_is_replaced_once_the_disk_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, *, first: int) -> SpoolDatabase:
        raise sqlite3.OperationalError("database or disk is full")

    lines: list[str] = []
    with opened(tmp_path, lines) as spool:
        spool.add(message(1, size=9000))
        with sqlite3.connect(spool.path) as other:
            other.execute("pragma wal_checkpoint(truncate)")
        other.close()
        damage_pages(spool.path)
        with monkeypatch.context() as full:
            full.setattr("cmsn_runtime.sinks.delivery.spool.SpoolDatabase", fails)
            spool.add(message(2))
            spool.add(message(3))
        assert spool.failing
        spool.add(message(4))
        assert keys(spool) == [4] and not spool.failing
    assert ["is damaged" in line for line in lines].count(True) == 1 and "lost: 2 final" in lines[-1]


def test_where_the_disk_fails_events_are_lost_counted_and_reported_once(tmp_path: Path) -> None:
    lines: list[str] = []
    with opened(tmp_path, lines) as spool:
        with sqlite3.connect(spool.path, isolation_level=None) as other:
            pages = other.execute("pragma page_count").fetchone()[0]
        other.close()
        database = spool._database._sqlite
        database.execute(f"pragma max_page_count = {pages}")  # as on a full disk
        for number in range(3):
            spool.add(message(number, size=50_000))
        assert spool.lost == {"final": 3} and not spool.waiting
        database.execute("pragma max_page_count = 100000")
        spool.add(message(3, size=50_000))
        assert keys(spool) == [3]
    assert [("cannot be written" in line, "3 final" in line) for line in lines] == [(True, False), (False, True)]


def test_a_second_program_gets_a_file_of_its_own_and_what_it_leaves_is_adopted(tmp_path: Path) -> None:
    with opened(tmp_path) as first:
        second = opened(tmp_path)
        assert first.path.name == "hook.spool" and second.path.name == "hook-2.spool"
        first.add(message(1))
        second.add(message(2))
        second.close()
    with opened(tmp_path) as spool:
        assert keys(spool) == [1, 2] and not (tmp_path / "hook-2.spool").exists()


def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    opened(folder).close()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_message_has_the_fields_of_every_output_and_the_key_of_the_event() -> None:
    event = Event("final", 3, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3))
    stamped = Numbering(camera="door", run="r").stamped(event)
    found = message_of("door", stamped, event_type="final")
    body = json.loads(found.body)
    assert found.key == body["key"] == "local/door/r/1" and body["action"] == 3 and body["event_type"] == "final"
    assert found.lasting and not message_of("door", Event("revised", 1, 1, event.proposal, Fraction(3))).lasting
    assert message_of("door", event).key != message_of("door", event).key


def test_a_reason_that_repeats_a_password_is_stored_without_it() -> None:
    remember("c4nary-password")
    notice = Notice("source_lost", Fraction(1), "rtsp://a:c4nary-password@door cannot be opened")
    assert b"c4nary" not in message_of("door", notice).body
