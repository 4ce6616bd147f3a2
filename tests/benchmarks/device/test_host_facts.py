"""Facts, conditions, memory and caches: found where they are, left out where the files hold something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cmsn_benchmarks.device import caches, memory
from cmsn_benchmarks.device.conditions import conditions
from cmsn_benchmarks.device.host_facts import host_facts

ALWAYS = {"processor", "architecture", "cores", "kernel"}


def _tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture(autouse=True)
def _no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))


def _nvpmodel(folder: Path, body: bytes) -> None:
    _tree(folder, {"programs/nvpmodel": b"#!/bin/sh\n" + body})
    (folder / "programs/nvpmodel").chmod(0o755)


def test_a_jetson_is_known_by_board_release_and_power_mode(tmp_path: Path) -> None:
    _tree(
        tmp_path,
        {
            "proc/cpuinfo": b"processor\t: 0\nFeatures\t: fp asimd asimddp bf16 i8mm\n\nprocessor\t: 1\n",
            "proc/meminfo": b"MemTotal:        7802728 kB\nMemFree: 1 kB\n",
            "proc/device-tree/model": b"NVIDIA Jetson Orin Nano Developer Kit\0",
            "etc/nv_tegra_release": b"# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n",
            "etc/os-release": b'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="22.04"\n',
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": b"schedutil\n",
            "sys/fs/cgroup/cpu.max": b"150000 100000\n",
        },
    )
    _nvpmodel(tmp_path, b"echo 'NV Fan Mode:quiet'; echo 'NV Power Mode: MAXN_SUPER'; echo 2\n")
    found = host_facts(tmp_path)
    assert found["board"] == "NVIDIA Jetson Orin Nano Developer Kit"
    assert found["l4t"] == "R36 (release), REVISION: 4.3"
    assert found["nvpmodel"] == "MAXN_SUPER"
    assert found["instruction_sets"] == ["asimd", "asimddp", "bf16", "i8mm"]
    assert (found["memory_megabytes"], found["quota_cores"]) == (7990, 1.5)
    assert (found["distribution"], found["governor"]) == ("ubuntu 22.04", "schedutil")


def test_an_x86_machine_is_known_by_its_processor(tmp_path: Path) -> None:
    _tree(tmp_path, {"proc/cpuinfo": b"model name\t: Some CPU @ 3 GHz\nflags\t\t: fpu avx2 amx_tile\n"})
    found = host_facts(tmp_path)
    assert (found["processor"], found["instruction_sets"]) == ("Some CPU @ 3 GHz", ["avx2", "amx_tile"])


def test_a_machine_without_these_files_has_the_facts_that_need_none(tmp_path: Path) -> None:
    assert host_facts(tmp_path).keys() == ALWAYS


GARBAGE = ("proc/cpuinfo", "proc/meminfo", "etc/os-release", "sys/fs/cgroup/cpu.max")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00\x80", b"MemTotal:", b"MemTotal: viel kB", b"x y", b"0 0", b"1 0"]
)
def test_garbage_leaves_its_fact_out(content: bytes, tmp_path: Path) -> None:
    _tree(tmp_path, dict.fromkeys(GARBAGE, content))
    assert host_facts(tmp_path).keys() == ALWAYS


def test_files_that_cannot_be_read_leave_their_facts_out(tmp_path: Path) -> None:
    for name in (*GARBAGE, "proc/device-tree/model", "etc/nv_tegra_release"):
        (tmp_path / name).mkdir(parents=True)
    assert host_facts(tmp_path).keys() == ALWAYS


@pytest.mark.parametrize("body", [b"exit 1\n", b"echo needs root >&2\n", b"printf '\\377\\376 Modus: X\\n'\n"])
def test_a_power_mode_that_cannot_be_asked_is_left_out(body: bytes, tmp_path: Path) -> None:
    _nvpmodel(tmp_path, body)
    assert "nvpmodel" not in host_facts(tmp_path)


def test_each_condition_that_slows_the_machine_down_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tree(tmp_path, {"sys/class/power_supply/BAT0/status": b"Discharging\n"})
    monkeypatch.setattr(os, "getloadavg", lambda: (7.0, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    found = conditions({"governor": "powersave", "quota_cores": 1.5}, root=tmp_path)
    wanted = ("a load of 7.0 on 4 cores", "governor powersave", "limits the run to 1.5 cores", "runs on battery")
    assert len(found) == len(wanted)
    assert all(words in note for words, note in zip(wanted, found, strict=True))


def _unknown() -> tuple[float, float, float]:
    raise OSError("load average is unobtainable")


def test_a_quiet_machine_and_unknown_conditions_are_not_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tree(tmp_path, {"sys/class/power_supply/AC/status": b"\xff\xfe", "sys/class/power_supply/BAT0/status": b"Full\n"})
    (tmp_path / "sys/class/power_supply/BAT1/status").mkdir(parents=True)
    monkeypatch.setattr(os, "getloadavg", _unknown)
    assert conditions({"governor": "performance", "quota_cores": "2"}, root=tmp_path) == ()


def test_the_peak_of_a_process_is_the_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "used_megabytes", lambda: 1500.0)
    _tree(tmp_path, {"proc/self/status": b"Name:\tx\nVmHWM:\t 97656250 kB\n"})
    found = memory.memory_now(device_before=400.0, root=tmp_path)
    assert (found.host_peak, found.device) == (100_000.0, 1100.0)
    assert 0 < found.host < found.host_peak


@pytest.mark.parametrize("content", [b"", b"VmHWM:\n", b"VmHWM: many kB\n", b"\xff\xfe"])
def test_without_a_peak_the_memory_of_now_is_the_least_that_it_was(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "used_megabytes", lambda: 300.0)
    _tree(tmp_path, {"proc/self/status": content})
    found = memory.memory_now(device_before=None, root=tmp_path)
    assert (found.host_peak, found.device) == (found.host, None)
    assert memory.memory_now(device_before=400.0, root=tmp_path).device == 0.0


def test_compiled_files_of_the_cache_are_listed_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "cache_folder", lambda: tmp_path)
    assert caches.cached_files() == frozenset()
    _tree(tmp_path, {"kernels/a/k.bin": b"", "engines/e.plan": b"", "films/f.mp4": b"", "engines.txt": b""})
    assert caches.cached_files() == {tmp_path / "kernels/a/k.bin", tmp_path / "engines/e.plan"}
