"""Kernels from the cache, compiled, or run by numba: the same results; nothing doubtful is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import cast

import numpy as np
import pytest
from llvmlite import binding  # type: ignore[import-untyped]

from cmsn_runtime.kernels import compiling, opening, store
from cmsn_runtime.kernels.declaring import Kernel
from cmsn_runtime.kernels.signature import parse_signature

SIGNATURE = parse_signature("int64(float64[::1], float64)")


def scale(values: np.typing.NDArray[np.float64], factor: float) -> int:
    for index in range(values.size):
        values[index] = larger(values[index], factor)
    return values.size


def larger(value: float, factor: float) -> float:
    return value * factor


def allocate(values: np.typing.NDArray[np.float64], factor: float) -> int:
    return np.zeros(values.size + int(factor)).size


def scaled(call: Callable[..., int]) -> list[float]:
    values = np.arange(3.0)
    assert call(values, 2.0) == 3
    return values.tolist()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CMSN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kernels"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which ways of compiling were taken."""
    taken: list[str] = []
    for name in ("machine_code", "by_numba"):

        def noted(*arguments: object, name: str, original: Callable[..., object]) -> object:
            taken.append(name)
            return original(*arguments)

        monkeypatch.setattr(compiling, name, partial(noted, name=name, original=getattr(compiling, name)))
    return taken


def open_kernel(function: Callable[..., int] = scale) -> Callable[..., int]:
    return opening.opened(cast(FunctionType, function), SIGNATURE)


def test_machine_code_is_kept_and_loaded_without_compiling(cache: Path, compiled: list[str]) -> None:
    assert scaled(open_kernel()) == [0, 2, 4]
    assert len(list(cache.iterdir())) == 1
    assert scaled(open_kernel()) == [0, 2, 4]
    assert compiled == ["machine_code"]


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, None], ids=["empty", "other bytes", "cut off"])
def test_a_damaged_file_is_not_loaded_but_replaced(cache: Path, compiled: list[str], damage: bytes | None) -> None:
    open_kernel()
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] if damage is None else damage)
    assert scaled(open_kernel()) == [0, 2, 4]
    assert compiled == ["machine_code"] * 2
    assert store.read_code(file) is not None


@pytest.mark.parametrize("fact", ["get_host_cpu_name", "get_process_triple"])
def test_code_for_another_machine_is_not_loaded(
    cache: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch, fact: str
) -> None:
    open_kernel()
    found = store.file_name("scale")
    monkeypatch.setattr(binding, fact, lambda: "another")
    assert store.file_name("scale") != found


def test_code_of_another_numba_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    found = store.file_name("scale")
    monkeypatch.setattr(store, "version", lambda package: "0.1")
    assert store.file_name("scale") != found


def test_code_of_other_settings_of_numba_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    found = store.file_name("scale")
    monkeypatch.setenv("NUMBA_OPT", "0")
    assert store.file_name("scale") != found


def test_numba_runs_a_kernel_where_no_cache_can_be_written(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CMSN_CACHE_DIR", str(tmp_path / "file"))
    assert scaled(open_kernel()) == [0, 2, 4]
    assert compiled == ["by_numba"]


def test_nothing_is_loaded_from_a_folder_that_others_can_write(cache: Path, compiled: list[str]) -> None:
    open_kernel()
    cache.chmod(0o777)
    assert scaled(open_kernel()) == [0, 2, 4]
    assert compiled == ["machine_code", "by_numba"]


def test_numba_runs_a_kernel_that_needs_its_memory_management(cache: Path, compiled: list[str]) -> None:
    assert open_kernel(allocate)(np.zeros(3), 2.0) == 5
    assert compiled == ["machine_code", "by_numba"]
    assert list(cache.iterdir()) == []


def test_numba_runs_a_kernel_where_it_passes_arguments_otherwise(
    cache: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "_kind", lambda kind: "another")
    assert scaled(open_kernel()) == [0, 2, 4]
    assert compiled == ["machine_code", "by_numba"]


def test_plain_python_runs_a_kernel_where_numba_is_switched_off(cache: Path) -> None:
    code = (
        "from cmsn_runtime.proposing.pipeline import *; import numpy as np; settings = ProposalSettings(); "
        "print(len(rank(propose(np.eye(6, dtype=np.float32), frontier=0, settings=settings), None, settings)))"
    )
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 0


def test_two_processes_may_compile_at_once(cache: Path) -> None:
    code = "from cmsn_runtime.proposing.pipeline import warm_up_kernels; warm_up_kernels()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    children = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    files = list(cache.iterdir())
    assert len(files) == 5
    assert all(store.read_code(file) for file in files)


def test_a_kernel_refuses_arrays_that_its_code_would_misread(cache: Path) -> None:
    with pytest.raises(TypeError, match=r"got \(float32\[3\], float\); it takes"):
        Kernel(scale, SIGNATURE)(np.zeros(3, np.float32), 2.0)
