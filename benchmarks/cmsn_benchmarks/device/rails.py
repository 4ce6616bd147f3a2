"""What a Jetson draws in total, from the power rails that its INA3221 chips measure."""

from __future__ import annotations

from collections.abc import Mapping

# Rails by the names that lines of tegrastats show; AGX Xavier's were not looked up. The module's input where it is
# measured: TX1, TX2, Xavier NX, Orin NX and Orin Nano; Nano.
_INPUTS = ("VDD_IN", "POM_5V_IN")
# Otherwise the rails that together supply the module: AGX Orin, whose VDDQ_VDD2_1V8AO is fed by VIN_SYS_5V0, and
# AGX Xavier. The board's own input (VIN of Thor) would include what is plugged in.
_TOGETHER = (
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"),
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
)


def module_power(rails: Mapping[str, float]) -> float | None:
    """Milliwatts of each rail -> watts of the module; None for a board whose rails are not known."""
    for name in _INPUTS:
        if name in rails:
            return rails[name] / 1e3
    for names in _TOGETHER:
        if all(name in rails for name in names):
            return sum(rails[name] for name in names) / 1e3
    return None
