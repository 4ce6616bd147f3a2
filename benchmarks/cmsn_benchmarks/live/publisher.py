"""A program that sends made-up events to one output, and can be killed: a part of `delivery`.

    python -m cmsn_benchmarks.live.publisher KIND FOLDER EVENTS_PER_SECOND [--cameras 4] < TABLE

TABLE: of the output, in JSON on one line. Prints the key of each event once the output has taken it, until standard
input ends; then waits until nothing is left in the spool, and prints "lost", and how many the spool has lost.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import click

from cmsn_runtime.events import Event, EventKind, Proposal
from cmsn_runtime.identity import Numbering, new_run
from cmsn_runtime.sinks.kinds import SinkContext, find_sink
from cmsn_runtime.sinks.mqtt.sink import MqttSink
from cmsn_runtime.sinks.webhook.sink import WebhookSink

_KINDS: tuple[EventKind, ...] = ("provisional", "revised", "final")


def made_up(cameras: int) -> Iterator[tuple[str, Event]]:
    """Events of cameras in turn: each action is announced, revised and final."""
    run = new_run()
    numberings = {
        name: Numbering(site="bench", camera=name, run=run) for name in map("camera{}".format, range(cameras))
    }
    for number in itertools.count():
        kind = _KINDS[number % 3]
        event = Event(kind, number // 3, 1, Proposal(Fraction(number), Fraction(number + 1), 0.5), Fraction(number + 2))
        for name, numbering in numberings.items():
            stamped = numbering.stamped(event)
            assert isinstance(stamped, Event)
            yield name, stamped


@click.command()
@click.argument("kind")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("events_per_second", type=float)
@click.option("--cameras", default=4, show_default=True)
def main(kind: str, folder: Path, events_per_second: float, cameras: int) -> None:
    """Send until standard input ends."""
    table = json.loads(sys.stdin.readline())
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    context = SinkContext(Fraction(1), site="bench", folder=folder, site_folder=folder, live=True, name="bench")
    open_table = find_sink(kind).open_table
    assert open_table is not None
    with open_table(table, context) as sink:
        assert isinstance(sink, (MqttSink, WebhookSink))
        for name in map("camera{}".format, range(cameras)):
            sink.begin(name, None)
        for name, event in made_up(cameras):
            if ended.is_set():
                break
            sink.event(name, event)
            assert event.stamp is not None
            print(event.stamp.key, event.kind, flush=True)
            time.sleep(1 / events_per_second)
        while sink.status.waiting:
            time.sleep(0.05)
        print("lost", json.dumps(sink.status.lost), flush=True)


if __name__ == "__main__":
    main()
