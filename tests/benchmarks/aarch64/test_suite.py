"""What pytest reports of another machine is counted."""

from __future__ import annotations

import sys
from pathlib import Path

from cmsn_benchmarks.aarch64.suite import run_tests

TESTS = """
import pytest

def test_passes(): pass
def test_fails(): assert False
@pytest.mark.skip(reason="has no camera")
@pytest.mark.parametrize("number", [1, 2])
def test_skipped(number): pass
"""


def test_passed_failed_and_skipped_tests_are_counted_with_their_reasons(tmp_path: Path) -> None:
    file = tmp_path / "test_all.py"
    file.write_text(TESTS)
    found = run_tests(Path(sys.executable), ["--rootdir", str(tmp_path), "-c", "/dev/null", str(file)], workers=1)
    assert (found.passed, found.failed, found.skipped) == (1, 1, 2)
    assert found.skips == {"has no camera": 2}
    assert [name.rpartition("::")[2] for name in found.failures] == ["test_fails"]
