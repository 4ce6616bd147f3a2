"""Which GPU tests run: none without CMSN_REQUIRE_GPU=1, with it all of the stacks that are here, and none may skip.

A test names what it needs in its mark: `@pytest.mark.gpu("tensorrt")`, see cmsn_benchmarks.gpu.stacks. Environment:
CMSN_GPU_SCALE=0.05 for a quick try with a twentieth of the streams, frames and rounds.
CMSN_GPU_ENGINES=FOLDER keeps the engines, built version compatible, so that a later TensorRT (lean, too) can run them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from cmsn_benchmarks.gpu.opening import RunnerName, build_all, open_on
from cmsn_benchmarks.gpu.stacks import Stack, StackName, find_stacks
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE

REQUIRED = os.environ.get("CMSN_REQUIRE_GPU") == "1"
SHARED = Path(__file__).resolve().parents[3] / "shared"
_HOURS = 3 * 3600

Opener = Callable[[RunnerName, str], Bundle]

_deselected: dict[str, int] = {}  # why -> tests


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, or keep the tests of the stacks that are here. Raises UsageError where none is and one must be."""
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    for item in gpu:
        # What real GPU libraries warn of is not ours to fail on, and 15,000 frames take their time.
        item.add_marker(pytest.mark.filterwarnings("default"))
        item.add_marker(pytest.mark.timeout(_HOURS))
        if not REQUIRED:
            item.add_marker(pytest.mark.skip(reason="needs a GPU; `make gpu` runs it, see docs/gpu-testing.md"))
    if not gpu or not REQUIRED:
        return
    stacks = find_stacks()
    if not any(stack.found for stack in stacks.values()):
        raise pytest.UsageError(_none_found(stacks))
    out = {item: reason for item in gpu if (reason := _reason(item, stacks)) is not None}
    for reason in out.values():
        _deselected[reason] = _deselected.get(reason, 0) + 1
    config.hook.pytest_deselected(items=list(out))
    items[:] = [item for item in items if item not in out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a failure of a skip: what is here must be tested."""
    report = yield
    if REQUIRED and report.skipped and item.get_closest_marker("gpu"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = (
            f"CMSN_REQUIRE_GPU=1, and this test skipped itself ({reason}); its stack is here, so it must run"
        )
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the stacks, and the tests of those that are not here."""
    if not REQUIRED:
        return
    terminalreporter.section("GPU stacks")
    for stack in find_stacks().values():
        terminalreporter.write_line(f"{stack.name}: {'' if stack.found else 'ABSENT, '}{stack.about}")
    for reason, count in _deselected.items():
        terminalreporter.write_line(f"{count} tests not run: {reason}")


def scaled(count: int) -> int:
    """A number of streams, frames or rounds, fewer for a quick try."""
    return max(1, round(count * float(os.environ.get("CMSN_GPU_SCALE", "1"))))


@pytest.fixture(scope="session")
def scale() -> Callable[[int], int]:
    """See `scaled`."""
    return scaled


@pytest.fixture(scope="session")
def found() -> set[StackName]:
    """The stacks that are here."""
    return {name for name, stack in find_stacks().items() if stack.found}


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory, found: set[StackName]) -> Callable[[str], Path]:
    """Name of a shipped bundle -> folder of its engines, built once, where this TensorRT can build."""
    kept = os.environ.get("CMSN_GPU_ENGINES")
    root = Path(kept) if kept else tmp_path_factory.mktemp("engines")
    ready: set[str] = set()

    def engines_of(name: str) -> Path:
        if name not in ready and "builder" in found:
            cache = root / "timing.cache"
            build_all(shipped(name), root / name, version_compatible=kept is not None, cache=cache)
        ready.add(name)
        return root / name

    return engines_of


@pytest.fixture
def opened(engines: Callable[[str], Path], tmp_path: Path) -> Iterator[Opener]:
    """Opens a shipped bundle on a stack; all are closed afterwards."""
    bundles: list[Bundle] = []

    def open_it(runner: RunnerName, name: str) -> Bundle:
        folder = engines(name) if runner == "tensorrt" else tmp_path / name
        bundles.append(open_on(runner, shipped(name), engines=folder))
        return bundles[-1]

    yield open_it
    for bundle in bundles:
        bundle.close()


def shipped(name: str) -> Path:
    """The folder of a bundle in the package."""
    return DEMO_BUNDLE.parent / f"{name}.cmsn"


def _reason(item: pytest.Item, stacks: dict[StackName, Stack]) -> str | None:
    """Why a test cannot run here; None where it can."""
    needed = {name for mark in item.iter_markers("gpu") for name in mark.args}
    missing = [stack for name, stack in stacks.items() if name in needed and not stack.found]
    if missing:
        return f"they need {missing[0].name}, which is absent"
    if "tensorrt" in needed and not (stacks["builder"].found or os.environ.get("CMSN_GPU_ENGINES")):
        return "they need engines: this TensorRT builds none, and CMSN_GPU_ENGINES names no folder of any"
    wants_shared = "shared" in getattr(item, "fixturenames", ())
    if wants_shared and not SHARED.is_dir() and os.environ.get("CMSN_REQUIRE_SHARED") != "1":
        return "they need the folder `shared` beside the repository, which is absent"
    return None


def _none_found(stacks: dict[StackName, Stack]) -> str:
    lines = "\n".join(f"  {stack.name}: {stack.about}" for stack in stacks.values())
    return (
        "CMSN_REQUIRE_GPU=1, but no GPU stack works here; at least one of torch with CUDA, onnxruntime-gpu, or "
        f"TensorRT with pycuda is needed, and an NVIDIA driver; docs/gpu-testing.md says how to install them:\n{lines}"
    )
