"""Where networks run outside of Lightning's trainer."""

from __future__ import annotations

import torch

from cmsn_training.config_sections import HardwareConfig


def inference_device(hardware: HardwareConfig) -> torch.device:
    """The GPU of this process where there is one and the configuration does not rule it out, else the CPU."""
    wanted = hardware.accelerator != "cpu" and torch.cuda.is_available()
    # Of several GPUs Lightning has made one the current one of each process.
    return torch.device("cuda" if wanted else "cpu")
