"""Named tensors from files of PyTorch and of safetensors; nothing in them is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch

from cmsn_runtime.errors import SettingsError

_WRAPPERS = ("state_dict", "model", "model_state_dict")
_LISTED = 6


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """A state dict, or a checkpoint that holds one -> its tensors by name; and the metadata of a safetensors file.

    Raises SettingsError where the file cannot be read as tensors only.
    """
    return _read_safetensors(path) if path.suffix == ".safetensors" else (_read_torch(path), {})


def listing(tensors: Mapping[str, torch.Tensor]) -> str:
    """The first names with their shapes, for messages."""
    first = [f"{name} {list(value.shape)}" for name, value in list(tensors.items())[:_LISTED]]
    more = len(tensors) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "") if first else "no named tensors"


def _read_torch(path: Path) -> dict[str, torch.Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror or error}); give the file of the weights"
        ) from error
    except Exception as error:  # an invalid pickle can raise any exception
        raise SettingsError(
            f"{path}: cannot be read as tensors only: it is not a PyTorch file, or it holds Python objects, which "
            "are not loaded since they can run code: if you trust it, save model.state_dict() alone with torch.save"
        ) from error
    while isinstance(content, Mapping):
        inner = next((content[name] for name in _WRAPPERS if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            named = ((name, value) for name, value in content.items() if isinstance(name, str))
            return {name: value for name, value in named if isinstance(value, torch.Tensor)}
        content = inner
    raise SettingsError(f"{path}: holds a {type(content).__name__}, no named tensors; give a state dict")


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise SettingsError(f"{path}: cannot be read as safetensors ({error}); give the file of the weights") from error
