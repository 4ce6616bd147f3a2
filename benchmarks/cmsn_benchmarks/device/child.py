"""Measures one backend in a process of its own, so that memory and the time to the first result are its alone.

    python -m cmsn_benchmarks.device.child < settings.json

Standard input: ChildSettings. Standard output: a JSON object per line, each with fields of BackendFigures as soon as
they are known, so that what a child measured before it failed is not lost. Standard error: progress, for people.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import warnings
from dataclasses import asdict, is_dataclass

from cmsn_benchmarks.device.child_settings import ChildSettings
from cmsn_runtime.errors import BackendWarning, CmsnError
from cmsn_runtime.structuring import structure


def main() -> None:
    """Read, measure, write. An error that is expected becomes a note; any other is a traceback and a status."""
    started = time.monotonic()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's, which then ends this process
    settings = structure(json.load(sys.stdin), ChildSettings)
    notes: list[str] = []
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", BackendWarning)
    warnings.showwarning = lambda message, *_, **__: notes.append(str(message))
    try:
        from cmsn_benchmarks.device.measuring import measure  # imported here: it is part of the time to the start

        measure(settings, started=started, tell=write, progress=progress)
    except CmsnError as error:
        notes.append(str(error))
    finally:
        write(notes=notes)


def write(**fields: object) -> None:
    """Pass on fields of BackendFigures."""
    plain = {
        name: asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        for name, value in fields.items()
    }
    sys.stdout.write(json.dumps(plain) + "\n")
    sys.stdout.flush()


def progress(line: str) -> None:
    """One line for people."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
