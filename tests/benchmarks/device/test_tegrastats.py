"""Lines of tegrastats in the formats of several boards and releases, and the process that writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cmsn_benchmarks.device.processes import children
from cmsn_benchmarks.device.reading import Reading
from cmsn_benchmarks.device.sensors import Sampler
from cmsn_benchmarks.device.tegrastats import reading_of
from cmsn_benchmarks.device.tegrastats_process import Tegrastats

NANO = (
    "RAM 1500/3964MB (lfb 12x4MB) SWAP 0/1982MB (cached 0MB) CPU [31%@1479,25%@1479,19%@1479,22%@1479] EMC_FREQ 0% "
    "GR3D_FREQ 74% PLL@41C CPU@43.5C PMIC@100C GPU@42.5C AO@50.5C thermal@43C "
    "POM_5V_IN 5120/4800 POM_5V_GPU 1600/1200 POM_5V_CPU 1100/900"
)
XAVIER_NX = (
    "RAM 2000/7765MB (lfb 900x4MB) SWAP 0/3882MB (cached 0MB) CPU [12%@1420,9%@1420,off,off,off,off] "
    "EMC_FREQ 4%@1600 GR3D_FREQ 55%@1109 VIC_FREQ 0%@115 APE 150 MTS fg 0% bg 2% AO@40C GPU@44.5C PMIC@50C AUX@40.5C "
    "CPU@42C thermal@41.6C VDD_IN 6500/6100 VDD_CPU_GPU_CV 2300/2000 VDD_SOC 1300/1250"
)
AGX_XAVIER = (
    "RAM 4000/31920MB (lfb 6000x4MB) CPU [3%@1190,2%@1190,off,off,off,off,off,off] EMC_FREQ 2%@2133 "
    "GR3D_FREQ 20%@1377 APE 150 MTS fg 0% bg 0% AO@38C GPU@39.5C Tdiode@41.25C PMIC@100C AUX@38C CPU@39C Tboard@37C "
    "GPU 3000/2500 CPU 1000/900 SOC 2000/1900 CV 0/0 VDDRQ 500/450 SYS5V 2500/2400"
)
ORIN_NANO = (
    "01-15-2026 10:20:30 RAM 3000/7620MB (lfb 5x4MB) SWAP 0/3810MB (cached 0MB) "
    "CPU [19%@729,14%@729,22%@729,8%@729,off,off] EMC_FREQ 4%@2133 GR3D_FREQ 31%@[612] NVDEC off NVJPG off VIC off "
    "OFA off APE 200 cpu@46.5C soc2@47.3C soc0@46.6C gpu@48.2C tj@48.8C soc1@48.8C cv0@-256C "
    "VDD_IN 5700mW/5600mW VDD_CPU_GPU_CV 830mW/800mW VDD_SOC 1620mW/1600mW"
)
AGX_ORIN = (
    "01-15-2026 10:20:30 RAM 9000/62801MB (lfb 30x4MB) SWAP 0/31400MB (cached 0MB) CPU [1%@1728,0%@1728,off,off] "
    "EMC_FREQ 1%@3199 GR3D_FREQ 88%@[1300,1300] VIC off APE 174 cpu@52.9C/52.1C tj@53.5C/53.0C gpu@51.1C/50.9C "
    "VDD_GPU_SOC 9000mW/8000mW VDD_CPU_CV 2000mW/1900mW VIN_SYS_5V0 5000mW/4900mW VDDQ_VDD2_1V8AO 900mW/850mW"
)
THOR = "RAM 9000/125772MB (lfb 9x4MB) GR3D_FREQ @[1000,1000,1000] cpu@40.1C tj@41.2C VIN 30000mW/29000mW"


def _is(line: str, *, power: float | None, temperature: float, clock: float | None, load: float | None) -> None:
    found = reading_of(line)
    assert found.power == (None if power is None else pytest.approx(power))
    assert found.power_of == (None if power is None else "module")
    assert (found.temperature, found.clock, found.gpu_load) == (temperature, clock, load)


def test_nano_with_jetpack_4_has_no_unit_and_no_clock_and_a_constant_for_its_pmic() -> None:
    _is(NANO, power=5.12, temperature=50.5, clock=None, load=0.74)
    assert reading_of(NANO).memory == pytest.approx(1572.864)


def test_xavier_nx_with_jetpack_5_has_its_modules_input() -> None:
    _is(XAVIER_NX, power=6.5, temperature=44.5, clock=1109.0, load=0.55)


def test_agx_xavier_draws_the_sum_of_its_rails() -> None:
    _is(AGX_XAVIER, power=9.0, temperature=41.25, clock=1377.0, load=0.20)


def test_orin_nano_with_jetpack_6_has_units_brackets_and_parts_that_are_switched_off() -> None:
    _is(ORIN_NANO, power=5.7, temperature=48.8, clock=612.0, load=0.31)


def test_agx_orin_with_jetpack_7_draws_three_rails_and_has_a_mean_of_each_temperature() -> None:
    _is(AGX_ORIN, power=16.0, temperature=53.5, clock=1300.0, load=0.88)


def test_thor_has_clocks_without_a_load_and_no_figure_of_the_module() -> None:
    _is(THOR, power=None, temperature=41.2, clock=1000.0, load=None)


@pytest.mark.parametrize(
    "line",
    [
        *("", "tegrastats: permission denied", "RAM ?/?MB GR3D_FREQ off VDD_IN mW/mW", "\ufffd\ufffd@C"),
        *("RAM 1,5/4MB", "cpu@45,5C", "VDD_IN 4320,5mW/1mW", "GR3D_FREQ", "VDD_SOC 1300mW/1250mW", "cpu@-256C"),
    ],
)
def test_a_line_of_another_kind_says_nothing(line: str) -> None:
    assert reading_of(line) == Reading()


def _program(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "tegrastats").write_text(f"#!/bin/sh\n{body}\n")
    (folder / "tegrastats").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def _until_there_are_sensors(sampler: Sampler) -> None:
    until = time.monotonic() + 20
    while sampler.sensors() is None and time.monotonic() < until:
        time.sleep(0.01)


def test_the_sampler_reads_the_board_leaves_it_out_of_the_cost_and_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(
        tmp_path, f'[ "$1 $2" = "--interval 10" ] && while :; do echo "{ORIN_NANO}"; sleep 0.01; done', monkeypatch
    )
    before = children()
    with Sampler(root=tmp_path, seconds=0.01) as sampler:
        _until_there_are_sensors(sampler)
        (process,) = set(children()) - set(before)
        assert process not in children(but="tegrastats")
    found = sampler.sensors()
    assert found is not None
    assert found.power_mean == pytest.approx(5.7)
    assert found.clock_mean == pytest.approx(612.0)
    assert (found.power_most, found.power_of, found.temperature_most) == (5.7, "module", 48.8)
    assert found.gpu_load_mean == pytest.approx(0.31)
    assert found.memory_most == pytest.approx(3145.728)
    assert not Path(f"/proc/{process}").exists()


def test_until_its_first_line_comes_the_kernels_figures_are_not_mixed_with_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, f'sleep 0.2; while :; do echo "{ORIN_NANO}"; sleep 0.01; done', monkeypatch)
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("91000\n")
    with Sampler(root=tmp_path, seconds=0.01) as sampler:
        _until_there_are_sensors(sampler)
    found = sampler.sensors()
    assert found is not None
    assert found.temperature_most == 48.8


@pytest.mark.parametrize("body", ["exit 1", "echo needs root >&2", "printf '\\377\\376 nothing\\n'"])
def test_a_board_whose_program_fails_has_what_the_kernel_shows(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, body, monkeypatch)
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("51000\n")
    with Sampler(root=tmp_path, seconds=0.01) as sampler:
        _until_there_are_sensors(sampler)
    found = sampler.sensors()
    assert found is not None
    assert (found.temperature_most, found.power_mean) == (51.0, None)


def test_without_tegrastats_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with Tegrastats(10) as board:
        assert (board.running, board.latest()) == (False, None)


def test_it_ends_where_the_measuring_process_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "while :; do echo RAM; sleep 0.02; done", monkeypatch)
    code = (
        "import time; from cmsn_benchmarks.device.tegrastats_process import Tegrastats; board = Tegrastats(20)\n"
        "print(board._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as measuring:
        assert measuring.stdout is not None
        process = int(measuring.stdout.readline())
        measuring.send_signal(signal.SIGKILL)
        measuring.wait()
    until = time.monotonic() + 20
    while _lives(process) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _lives(process)


def _lives(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
