"""Which device networks run on, and whether the one in a configuration is available."""

from __future__ import annotations

import torch

from cmsn_runtime.errors import SettingsError
from cmsn_training.config_sections import HardwareConfig


def require_device(hardware: HardwareConfig) -> None:
    """Raises SettingsError where PyTorch lacks the GPUs that the configuration asks for."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else int(torch.backends.mps.is_available())
    if hardware.accelerator == "gpu" and not count:
        raise SettingsError(
            f'hardware.accelerator is "gpu", but PyTorch {torch.__version__} finds no GPU; set it to "auto" or '
            '"cpu", or install a driver and a PyTorch built for this GPU'
        )
    wanted = hardware.devices
    if hardware.accelerator != "cpu" and isinstance(wanted, int) and 0 < count < wanted:
        raise SettingsError(f"hardware.devices is {wanted}, but there are {count} GPUs here; set it to {count} or less")


def inference_device(hardware: HardwareConfig) -> torch.device:
    """The GPU of this process where one exists and the configuration allows it, otherwise the CPU."""
    wanted = hardware.accelerator != "cpu" and torch.cuda.is_available()
    # Of several GPUs Lightning has made one the current one of each process.
    return torch.device("cuda" if wanted else "cpu")
