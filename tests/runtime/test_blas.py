"""`cmsn run` and `cmsn serve` start no threads for products of matrices."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import os, sys
from cmsn_runtime.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    import numpy
    print(os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.mark.parametrize("arguments", [["run", "missing.mp4", "--quiet"], ["serve", "missing.toml"]])
@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_numpy_starts_no_threads_unless_the_user_wants_them(
    arguments: list[str], given: dict[str, str], expected: str
) -> None:
    plain = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment = {**plain, "PYTHONPATH": os.pathsep.join(sys.path), **given}
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected
