"""`make gpu`'s tests run whole over a simulated GPU; what they do where a stack, or every stack, is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the simulated TensorRT parses graphs with onnx")

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = [ROOT / name for name in ("runtime", "training", "export", "calibration", "benchmarks", "tests/fakes")]

SKIPPING = """
import pytest

@pytest.mark.gpu("tensorrt")
def test_skips():
    pytest.skip("does not feel like it")

@pytest.mark.gpu("torch")
def test_of_what_is_not_here():
    raise AssertionError

def test_of_no_gpu():
    pytest.skip("is allowed")
"""

IMPORTS = """
import sys
for name in ("torch", "lightning", "pydantic", "safetensors", "tensorrt", "pycuda"):
    sys.modules[name] = None
import cmsn_benchmarks.datasets.cctv_streams, cmsn_benchmarks.quality.demo
import cmsn_benchmarks.gpu.__main__, cmsn_benchmarks.gpu.agreement, cmsn_benchmarks.gpu.lstm
import cmsn_benchmarks.gpu.tensorrt_runs
assert not any(stack.found for stack in cmsn_benchmarks.gpu.__main__.find_stacks().values())
"""


def run(*arguments: str, environment: dict[str, str], folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A Python of its own, which sees no GPU that may be here."""
    path = os.pathsep.join(map(str, FOLDERS))
    hidden = {key: value for key, value in os.environ.items() if not key.startswith("CMSN_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**hidden, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_gpu_test_that_needs_no_other_stack_passes_on_a_simulated_gpu() -> None:
    arguments = ["-m", "pytest", "-p", "simulated_gpu", "-p", "no:cacheprovider", "-q", "tests/gpu"]
    done = run(*arguments, environment={"CMSN_REQUIRE_GPU": "1", "CMSN_GPU_SCALE": "0.002"})
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed, \d+ deselected", done.stdout, re.MULTILINE), done.stdout
    assert "tensorrt: TensorRT 10.3.0.26 on Fake GPU" in done.stdout
    assert "torch: ABSENT" in done.stdout
    assert "tests not run: they need torch, which is absent" in done.stdout


def test_engines_built_by_tensorrt_8_run_under_the_lean_runtime_of_10(tmp_path: Path) -> None:
    """Kept in a folder, they are built version compatible; the runtime alone runs them, and builds none."""
    arguments = ["-m", "pytest", "-p", "simulated_gpu", "-p", "no:cacheprovider", "-q", "tests/gpu"]
    quick = {"CMSN_REQUIRE_GPU": "1", "CMSN_GPU_SCALE": "0.002", "CMSN_GPU_ENGINES": str(tmp_path)}
    opens = ["-k", "opens or bilstm or layer"]
    lean = {**quick, "SIMULATED_TENSORRT": "10.16.1.11", "SIMULATED_LEAN": "1"}
    built = run(*arguments, *opens, environment={**quick, "SIMULATED_TENSORRT": "8.6.2.3"})
    assert built.returncode == 0, built.stdout
    done = run(*arguments, *opens, environment=lean)
    assert re.search(r"^1 passed, \d+ deselected", done.stdout, re.MULTILINE), done.stdout
    assert "tests not run: they need builder, which is absent" in done.stdout
    none = run(*arguments, *opens, environment={**lean, "CMSN_GPU_ENGINES": ""})
    assert "they need engines: this TensorRT builds none" in none.stdout
    assert none.returncode == 5  # nothing was run, which is no success


def test_required_gpu_tests_without_any_stack_fail_with_what_to_install() -> None:
    done = run(
        "-m", "pytest", "-p", "no:cacheprovider", "-m", "gpu", "tests/gpu", environment={"CMSN_REQUIRE_GPU": "1"}
    )
    assert done.returncode == 4
    assert "no GPU stack works here" in done.stderr
    assert "docs/gpu-testing.md" in done.stderr


def test_gpu_tests_skip_where_they_are_not_required() -> None:
    done = run("-m", "pytest", "-p", "no:cacheprovider", "-q", "tests/gpu", environment={})
    assert done.returncode == 0
    assert re.search(r"^\d+ skipped in", done.stdout, re.MULTILINE), done.stdout


def test_a_gpu_test_that_skips_itself_fails_where_its_stack_is_installed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/gpu/conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(SKIPPING)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu: as in the project\n")
    arguments = ["-m", "pytest", "-p", "simulated_gpu", "-p", "no:cacheprovider"]
    done = run(*arguments, environment={"CMSN_REQUIRE_GPU": "1"}, folder=tmp_path)
    assert "1 failed, 1 skipped, 1 deselected" in done.stdout, done.stdout + done.stderr
    assert "this test skipped itself (Skipped: does not feel like it)" in done.stdout


def test_gpu_tests_of_tensorrt_import_without_torch() -> None:
    """The environment of the oldest TensorRT has none."""
    done = run("-c", IMPORTS, environment={})
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("variables", "options"), [([], ""), (["GPU_BUNDLE=network.cmsn"], "--bundle network.cmsn ")])
def test_make_gpu_measures_a_bundle_that_was_made_elsewhere(variables: list[str], options: str) -> None:
    """A Python that has TensorRT 8.6 has no torch to make it with."""
    done = subprocess.run(["make", "-n", "gpu", *variables], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"-m cmsn_benchmarks.gpu {options}--json" in " ".join(done.stdout.split())
