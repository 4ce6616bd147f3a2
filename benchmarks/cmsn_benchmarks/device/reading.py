"""One look at the sensors of a machine, and how looks of several sources become one."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """None where there is no such sensor. power: watts. power_of: what draws them. temperature: degrees Celsius.

    clock: megahertz of the GPU; of a machine without one, the mean of its cores. gpu_load: share of the time.
    memory: of the whole machine in use, 10^6 bytes. slowed_down: by heat or by the power supply.
    """

    power: float | None = None
    power_of: str | None = None
    temperature: float | None = None
    clock: float | None = None
    gpu_load: float | None = None
    memory: float | None = None
    slowed_down: bool | None = None


def first_of(*readings: Reading) -> Reading:
    """Each figure of the first that has it: a driver may report some of them only."""
    found: dict[str, object] = {}
    for field in fields(Reading):
        values = (getattr(each, field.name) for each in readings)
        found[field.name] = next((value for value in values if value is not None), None)
    return Reading(**found)  # type: ignore[arg-type]  # each value comes from the same field
