"""pytest on another Python: what passed, what was skipped and why."""

from __future__ import annotations

import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """skips: reason -> number of tests. failures: their names. seconds: of the whole run, on `workers` processes."""

    passed: int
    skipped: int
    failed: int
    seconds: float
    workers: int
    skips: dict[str, int]
    failures: list[str]


def run_tests(there: Path, arguments: Sequence[str], *, workers: int) -> SuiteRun:
    """Run them and show what pytest prints. Raises SystemExit where it writes no report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(there), "-m", "pytest", "-p", "no:cacheprovider", "-q", f"--numprocesses={workers}"]
        command += ["--dist=worksteal", f"--junitxml={report}", *arguments]
        began = time.monotonic()
        status = subprocess.run(command, check=False).returncode
        if not report.is_file():
            raise SystemExit(f"pytest ended with {status} and no report, see above")
        return read_report(report, seconds=time.monotonic() - began, workers=workers)


def read_report(report: Path, *, seconds: float, workers: int) -> SuiteRun:
    """A JUnit file as pytest writes it."""
    skips: Counter[str] = Counter()
    failures: list[str] = []
    passed = 0
    for case in ElementTree.parse(report).iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failures.append(f"{case.get('classname')}::{case.get('name')}")
        elif skip is not None:
            skips[skip.get("message", "")] += 1
        else:
            passed += 1
    return SuiteRun(
        passed, sum(skips.values()), len(failures), round(seconds, 1), workers, dict(sorted(skips.items())), failures
    )
