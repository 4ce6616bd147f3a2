"""Sensors of the kernel and of NVML: each that is missing, forbidden or garbage leaves its own figure out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from cmsn_benchmarks.device import nvml
from cmsn_benchmarks.device.energy import EnergyCounters
from cmsn_benchmarks.device.kernel_sensors import KernelSensors
from cmsn_benchmarks.device.reading import Reading, first_of
from cmsn_benchmarks.device.sensors import summary


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def _unreadable(root: Path, name: str) -> None:
    """A folder in its place fails with an OSError even for root, as a file without rights does for others."""
    (root / name).mkdir(parents=True)


def test_the_hottest_zone_and_the_mean_clock_are_found(tmp_path: Path) -> None:
    _tree(
        tmp_path,
        {
            "sys/class/thermal/thermal_zone0/temp": "41000\n",
            "sys/class/thermal/thermal_zone1/temp": "63500\n",
            "sys/class/thermal/thermal_zone2/temp": "-256000\n",
            "sys/class/thermal/thermal_zone3/temp": "nan\n",
            "sys/class/thermal/thermal_zone4/temp": "none\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1000000\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "3000000\n",
            "sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq": "<unknown>\n",
        },
    )
    _unreadable(tmp_path, "sys/class/thermal/thermal_zone5/temp")
    assert KernelSensors(tmp_path).look() == Reading(temperature=63.5, clock=2000.0)


def test_without_zones_the_processors_own_sensor_counts_and_no_other(tmp_path: Path) -> None:
    _tree(
        tmp_path,
        {
            "sys/class/hwmon/hwmon0/name": "nvme\n",
            "sys/class/hwmon/hwmon0/temp1_input": "90000\n",
            "sys/class/hwmon/hwmon1/name": "k10temp\n",
            "sys/class/hwmon/hwmon1/temp1_input": "55500\n",
            "proc/cpuinfo": "cpu MHz\t\t: 2000.5\ncpu MHz : ?\ncpu MHz\t: nan\ncpu MHz: 1000.5\n\x00\n",
        },
    )
    assert KernelSensors(tmp_path).look() == Reading(temperature=55.5, clock=1500.5)


def test_a_machine_without_sensors_has_none(tmp_path: Path) -> None:
    assert KernelSensors(tmp_path).look() == Reading()
    assert summary([Reading(), Reading()]) is None
    assert summary([]) is None


def test_a_jetsons_module_is_measured_by_the_rail_of_its_input_wherever_it_is(tmp_path: Path) -> None:
    chip = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    _tree(
        tmp_path,
        {
            f"{chip}/in1_label": "VDD_SOC\n",
            f"{chip}/in1_input": "5000",
            f"{chip}/curr1_input": "100",
            f"{chip}/in2_label": "VDD_IN\n",
            f"{chip}/in2_input": "5000",
            f"{chip}/curr2_input": "1300",
            f"{chip}/in3_label": "VDD_CPU_GPU_CV\n",
            f"{chip}/in3_input": "garbage",
        },
    )
    found = KernelSensors(tmp_path).look()
    assert (found.power, found.power_of) == (6.5, "module")
    (tmp_path / chip / "curr2_input").write_text("")
    assert KernelSensors(tmp_path).look().power is None


def test_a_server_is_measured_by_its_firmware(tmp_path: Path) -> None:
    _tree(
        tmp_path, {"sys/class/hwmon/hwmon2/name": "power_meter", "sys/class/hwmon/hwmon2/power1_average": "213000000"}
    )
    found = KernelSensors(tmp_path).look()
    assert (found.power, found.power_of) == (213.0, "machine")


def _counters(root: Path, first: str, second: str) -> EnergyCounters:
    powercap = "sys/class/powercap/intel-rapl:"
    _tree(
        root,
        {
            f"{powercap}0/name": "package-0\n",
            f"{powercap}0/energy_uj": first,
            f"{powercap}0/max_energy_range_uj": "100000000\n",
            f"{powercap}1/name": "package-1\n",
            f"{powercap}1/energy_uj": second,
            f"{powercap}0:0/name": "core\n",
            f"{powercap}0:0/energy_uj": "0\n",
            f"{powercap}2/name": "psys\n",
            f"{powercap}2/energy_uj": "0\n",
        },
    )
    times = iter([10.0, 12.0, 14.0])
    return EnergyCounters(root, clock=lambda: next(times))


def test_energy_counters_of_all_packages_become_watts_even_where_one_begins_again(tmp_path: Path) -> None:
    counters = _counters(tmp_path, "90000000", "5000000")
    packages = tmp_path / "sys/class/powercap"
    (packages / "intel-rapl:0/energy_uj").write_text("10000000")  # 20 J, past its range
    (packages / "intel-rapl:1/energy_uj").write_text("15000000")  # 10 J
    assert counters.watts() == pytest.approx(15.0)
    (packages / "intel-rapl:0/energy_uj").write_text("30000000")
    assert counters.watts() == pytest.approx(10.0)


def test_energy_counters_that_only_root_may_read_are_left_out(tmp_path: Path) -> None:
    counters = _counters(tmp_path, "1", "2")
    (tmp_path / "sys/class/powercap/intel-rapl:1/energy_uj").unlink()
    _unreadable(tmp_path, "sys/class/powercap/intel-rapl:1/energy_uj")
    assert counters.watts() is None


def test_each_figure_is_that_of_the_first_source_that_has_it() -> None:
    gpu, board = Reading(clock=1300.0), Reading(power=5.0, power_of="module", clock=612.0)
    assert first_of(gpu, board, Reading(temperature=40.0)) == Reading(
        power=5.0, power_of="module", clock=1300.0, temperature=40.0
    )


def test_the_summary_has_means_extremes_and_whether_it_ever_slowed_down() -> None:
    found = summary([Reading(power=2.0, slowed_down=False), Reading(power=4.0, power_of="GPU", slowed_down=True)])
    assert found is not None
    assert (found.power_mean, found.power_most, found.power_of, found.throttled) == (3.0, 4.0, "GPU", True)
    assert (found.clock_mean, found.gpu_load_mean, found.memory_most, found.temperature_most) == (None,) * 4


class FakeError(Exception):
    """What the fake library raises."""


def _refuse(*_: object) -> None:
    raise FakeError


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A GPU of 300 W at 66 degrees that saves no power, in place of NVIDIA's library."""
    fake = SimpleNamespace(
        NVMLError=FakeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda number: f"gpu-{number}",
        nvmlDeviceGetPowerUsage=lambda device: {"gpu-0": 300000}[device],
        nvmlDeviceGetTemperature=lambda device, kind: {0: 66}[kind],
        nvmlDeviceGetClockInfo=lambda device, kind: {1: 1755}[kind],
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda device: 0x01,  # idle
        nvmlDeviceGetUtilizationRates=lambda device: SimpleNamespace(gpu=87, memory=10),
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(used=2_500_000_000),
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)  # a module as far as it is used
    nvml._device.cache_clear()
    yield fake
    nvml._device.cache_clear()


def test_a_gpu_has_watts_degrees_clock_load_and_memory(library: SimpleNamespace) -> None:
    assert nvml.sample_gpu() == Reading(
        power=300.0, power_of="GPU", temperature=66, clock=1755, gpu_load=0.87, slowed_down=False
    )
    assert nvml.used_megabytes() == 2500.0


@pytest.mark.parametrize(("reasons", "slowed"), [(0x20, True), (0x04, False), (0x08 | 0x01, True), (0x40, True)])
def test_heat_and_hardware_slow_a_gpu_down_and_its_power_cap_does_not(
    reasons: int, slowed: bool, library: SimpleNamespace
) -> None:
    library.nvmlDeviceGetCurrentClocksThrottleReasons = lambda device: reasons
    found = nvml.sample_gpu()
    assert found is not None
    assert found.slowed_down is slowed


def test_what_a_board_or_a_driver_does_not_support_is_left_out(library: SimpleNamespace) -> None:
    library.nvmlDeviceGetPowerUsage = _refuse
    library.nvmlDeviceGetMemoryInfo = _refuse
    del library.nvmlDeviceGetCurrentClocksThrottleReasons
    assert nvml.sample_gpu() == Reading(temperature=66, clock=1755, gpu_load=0.87)
    assert nvml.used_megabytes() is None


@pytest.mark.parametrize("name", ["nvmlInit", "nvmlDeviceGetHandleByIndex"])
def test_without_a_driver_or_a_gpu_there_is_no_reading(name: str, library: SimpleNamespace) -> None:
    setattr(library, name, _refuse)
    assert (nvml.sample_gpu(), nvml.used_megabytes()) == (None, None)


def test_without_the_package_there_is_no_reading(library: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # makes the import fail
    assert (nvml.sample_gpu(), nvml.used_megabytes()) == (None, None)
