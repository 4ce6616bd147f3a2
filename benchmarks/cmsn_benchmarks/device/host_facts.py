"""What the kernel says of the processor, the memory and the board: nothing that identifies the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from cmsn_benchmarks.device.kernel_files import finite, text

# Instruction sets on which the speed of networks depends, by the names of /proc/cpuinfo.
_X86 = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")
_ARM = ("asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sve", "sve2")


def host_facts(root: Path = Path("/")) -> dict[str, object]:
    """Those that are known, by name. root: the file system, for tests."""
    found: dict[str, object] = {
        "processor": _processor(root) or platform.machine(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "instruction_sets": _instructions(root),
        "memory_megabytes": _memory(root),
        "governor": text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "kernel": platform.release(),
        "distribution": _distribution(root),
        "quota_cores": _quota(root),
        "board": text(root / "proc/device-tree/model"),
        "l4t": _l4t(root),
        "nvpmodel": _nvpmodel(),
    }
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def _processor(root: Path) -> str:
    return next(iter(_cpu_values(root, "model name")), "")


def _instructions(root: Path) -> list[str]:
    flags = {flag for name in ("flags", "Features") for value in _cpu_values(root, name)[:1] for flag in value.split()}
    return [name for name in (*_X86, *_ARM) if name in flags]


def _cpu_values(root: Path, name: str) -> list[str]:
    lines = (line.partition(":") for line in text(root / "proc/cpuinfo").splitlines())
    return [value.strip() for key, _, value in lines if key.strip() == name]


def _memory(root: Path) -> int | None:
    """10^6 bytes."""
    words = text(root / "proc/meminfo").split()
    total = finite(words[1]) if words[:1] == ["MemTotal:"] and len(words) > 1 else None
    return None if total is None else round(total * 1024 / 1e6)


def _distribution(root: Path) -> str:
    lines = dict(line.split("=", 1) for line in text(root / "etc/os-release").splitlines() if "=" in line)
    return " ".join(lines.get(name, "").strip('"') for name in ("ID", "VERSION_ID")).strip()


def _quota(root: Path) -> float | None:
    """Cores that a container may use, by cgroup version 2; None without a limit."""
    words = text(root / "sys/fs/cgroup/cpu.max").split()
    quota, period = map(finite, words) if len(words) == 2 else (None, None)  # "max" is no limit
    return quota / period if quota and period else None


def _l4t(root: Path) -> str:
    """NVIDIA's release of Linux on a Jetson, such as "R36 (release), REVISION: 4.3"."""
    return ",".join(text(root / "etc/nv_tegra_release").removeprefix("#").split(",")[:2]).strip()


def _nvpmodel() -> str:
    """The power mode of a Jetson, such as "MAXN"."""
    try:
        done = subprocess.run(
            ["nvpmodel", "-q"], capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    modes = [line.partition(":")[2].strip() for line in done.stdout.splitlines() if "Power Mode" in line]
    return modes[0] if modes else ""
