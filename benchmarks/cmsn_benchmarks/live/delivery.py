"""Whether events reach their receivers through what happens in weeks: nothing is lost, and doubles are recognisable.

    python -m cmsn_benchmarks.live.delivery [--events 3000] [--json OUT]

mqtt: the broker is ended 4 times and the program killed 3 times (SIGKILL) while events flow. webhook: the receiver
fails half the time, by an error or by taking an event without an answer, and the program is killed 3 times. full: the
receiver is away for more events than the spool holds. Needs mosquitto.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from cmsn_benchmarks.live.broker import PASSWORD, USER, Broker, Reader, free_port, wait
from cmsn_benchmarks.live.hook_receiver import HookReceiver, Posted, Reply

BROKER_ENDS, KILLS = 4, 3
_AWAY_SECONDS = 1.0  # of a broker that was ended
_TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of so many events. lost: those that the program had taken and nobody got. doubled: arrivals of an event
    beyond its first; all share its key. disordered: first arrivals after a later event of their camera and run.
    """

    sent: int
    arrived: int
    lost: int
    doubled: int
    disordered: int
    broker_ended: int
    program_killed: int
    seconds: float


class Program:
    """The publisher, killed and begun again. sent: key -> kind of every event that it has taken."""

    def __init__(self, kind: str, folder: Path, table: Mapping[str, object], *, events_per_second: float) -> None:
        self.sent: dict[str, str] = {}
        self.spool_lost: dict[str, int] = {}
        self.kills = 0
        self._arguments = kind, str(folder), str(events_per_second)
        self._table = table
        self.begin()

    def begin(self) -> None:
        """Begin, or begin again."""
        command = [sys.executable, "-m", "cmsn_benchmarks.live.publisher", *self._arguments]
        environment = os.environ | {"BENCH_PASSWORD": PASSWORD}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(self._table) + "\n")
        self._process.stdin.flush()
        self._follower = threading.Thread(target=self._follow, args=(self._process.stdout,))
        self._follower.start()

    def kill(self) -> None:
        """As a crash ends it."""
        self._process.kill()
        self._end()
        self.kills += 1

    def finish(self) -> None:
        """Let it send what waits, and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_TIMEOUT_SECONDS)
        self._end()

    def wait_for(self, count: int) -> None:
        """Until it has taken so many events."""
        wait(lambda: len(self.sent) >= count, _TIMEOUT_SECONDS)

    def _end(self) -> None:
        self._process.wait()
        self._follower.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            if not pipe.closed:
                pipe.close()

    def _follow(self, lines: Iterable[str]) -> None:
        for line in lines:
            first, _, rest = line.strip().partition(" ")
            if first == "lost":
                self.spool_lost = json.loads(rest)
            elif rest:  # a kill may cut the last line short
                self.sent[first] = rest


def measure_mqtt(folder: Path, *, events: int, events_per_second: float) -> Delivery:
    """The broker is ended and the program killed, at even distances."""
    with Broker(folder / "broker") as broker, Reader(broker) as reader:
        table = {"host": "127.0.0.1", "port": broker.port, "user": USER, "password": "${BENCH_PASSWORD}"}
        program = Program("mqtt", folder, table, events_per_second=events_per_second)

        def end_broker() -> None:
            broker.stop()
            time.sleep(_AWAY_SECONDS)
            broker.start()

        def kill() -> None:
            program.kill()
            program.begin()

        incidents = [end_broker, kill] * KILLS + [end_broker] * (BROKER_ENDS - KILLS)
        begun = time.monotonic()
        _run(program, incidents, events)

        def arrived() -> list[str]:
            return [json.loads(body)["key"] for topic, body, _ in reader.got if topic.endswith("/events")]

        wait(lambda: program.sent.keys() <= set(arrived()))
        return _delivery(program, arrived(), broker_ended=BROKER_ENDS, seconds=time.monotonic() - begun)


def measure_webhook(folder: Path, *, events: int, events_per_second: float) -> Delivery:
    """A quarter of the attempts get an error, a quarter are taken but not answered; the program is killed."""
    chance = random.Random(13)

    def reply(posted: Posted) -> Reply:
        number = chance.random()
        return Reply(503) if number < 0.25 else Reply(hang_up=True) if number < 0.5 else Reply()

    with HookReceiver(reply) as receiver:
        table = {"url": receiver.url, "secret": "${BENCH_PASSWORD}", "first_retry_seconds": 0.01}
        table |= {"last_retry_seconds": 0.05}
        program = Program("webhook", folder, table, events_per_second=events_per_second)

        def kill() -> None:
            program.kill()
            program.begin()

        begun = time.monotonic()
        _run(program, [kill] * KILLS, events)
        arrived = [json.loads(posted.body)["key"] for posted in receiver.accepted]
        return _delivery(program, arrived, broker_ended=0, seconds=time.monotonic() - begun)


@dataclass(frozen=True, slots=True)
class Overflow:
    """A receiver that was away too long: by kind, what was sent, arrived, and was counted as lost.

    uncounted: events that neither arrived nor were counted.
    """

    spool_megabytes: float
    sent: Mapping[str, int]
    arrived: Mapping[str, int]
    lost: Mapping[str, int]
    uncounted: int


def measure_full(folder: Path, *, events: int) -> Overflow:
    """The spool holds about half of the events; then the receiver is back."""
    port, megabytes = free_port(), events * 300 / 2**20
    table = {"url": f"http://127.0.0.1:{port}", "first_retry_seconds": 0.1, "last_retry_seconds": 0.1}
    program = Program("webhook", folder, table | {"spool_megabytes": megabytes}, events_per_second=1e6)
    program.wait_for(events)
    with HookReceiver(port=port) as receiver:
        program.finish()
        kinds = {json.loads(posted.body)["key"]: json.loads(posted.body)["kind"] for posted in receiver.accepted}
    sent, arrived, lost = Counter(program.sent.values()), Counter(kinds.values()), Counter(program.spool_lost)
    uncounted = sum((sent - arrived - lost).values())
    return Overflow(round(megabytes, 3), dict(sent), dict(arrived), dict(lost), uncounted)


def _run(program: Program, incidents: list[Callable[[], None]], events: int) -> None:
    """Let each thing happen in its turn, while events flow."""
    for number, happen in enumerate(incidents, start=1):
        program.wait_for(events * number // (len(incidents) + 1))
        happen()
    program.wait_for(events)
    program.finish()


def _delivery(program: Program, arrived: list[str], *, broker_ended: int, seconds: float) -> Delivery:
    firsts = list(dict.fromkeys(arrived))
    newest: Counter[str] = Counter()
    disordered = 0
    for key in firsts:
        source, _, number = key.rpartition("/")
        disordered += int(number) < newest[source]
        newest[source] = max(newest[source], int(number))
    return Delivery(
        sent=len(program.sent),
        arrived=len(firsts),
        lost=len(program.sent.keys() - set(firsts)),
        doubled=len(arrived) - len(firsts),
        disordered=disordered,
        broker_ended=broker_ended,
        program_killed=program.kills,
        seconds=round(seconds, 1),
    )


@click.command()
@click.option("--events", default=3000, show_default=True)
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(events: int, output: Path | None) -> None:
    """Measure all three."""
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in ("mqtt", "webhook", "full")}
        for folder in folders.values():
            folder.mkdir()
        report = {
            "mqtt": asdict(measure_mqtt(folders["mqtt"], events=events, events_per_second=100)),
            "webhook": asdict(measure_webhook(folders["webhook"], events=events // 2, events_per_second=40)),
            "full": asdict(measure_full(folders["full"], events=events)),
        }
    click.echo(json.dumps(report, indent=2))
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
