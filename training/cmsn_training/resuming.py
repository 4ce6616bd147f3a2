"""Whether a training can be resumed: its checkpoints are intact, and match the configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cmsn_runtime.errors import SettingsError
from cmsn_training.config import TrainingConfig

PHASES = ("stages", "evaluator")
RECORD = "cmsn"  # this project's entry in Lightning's checkpoints
_SETTINGS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Record:
    """What a checkpoint records about its training.

    settings: dotted name -> value of everything that affects its weights. items: of the training data per epoch.
    """

    settings: dict[str, Any]
    items: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """epochs: finished ones. shapes: of the weights. record: None in checkpoints of earlier versions."""

    path: Path
    epochs: int
    shapes: dict[str, tuple[int, ...]]
    record: Record | None

    def require_fitting(self, shapes: Mapping[str, tuple[int, ...]], items: int) -> None:
        """Raises SettingsError where the network, or the number of items per epoch, differs from the checkpoint's."""
        other = sorted(name for name in {*shapes, *self.shapes} if shapes.get(name) != self.shapes.get(name))
        if other:
            was, now = (found.get(other[0], "absent") for found in (self.shapes, shapes))
            raise SettingsError(
                f"{self.path}: belongs to another network ({other[0]} is {_listed(was)}, the configuration has "
                f"{_listed(now)}); restore the configuration, or change `output` to start a new training"
            )
        if self.record is not None and self.record.items != items:
            raise SettingsError(
                f"{self.path}: was written with {self.record.items} items per epoch, the data now give {items}; "
                "restore the videos and annotations, or change `output` to start a new training"
            )


def checkpoint_path(output: Path, phase: str) -> Path:
    """Where the checkpoint of a phase is kept."""
    return output / phase / "last.ckpt"


def find_checkpoints(config: TrainingConfig) -> dict[str, Checkpoint]:
    """Phase -> its checkpoint in the output folder, where one exists.

    Raises SettingsError where one is damaged, or belongs to another configuration.
    """
    paths = {phase: checkpoint_path(config.output, phase) for phase in PHASES}
    found = {phase: read_checkpoint(path) for phase, path in paths.items() if path.exists()}
    for phase, checkpoint in found.items():
        _require_same(checkpoint, phase, config)
    return found


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what resuming needs of a checkpoint; code is never unpickled. Raises SettingsError if damaged."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); it must be a file of `cmsn train`") from error
    try:
        with file:
            content = torch.load(file, map_location="cpu", weights_only=True)
        shapes = {name: tuple(value.shape) for name, value in content["state_dict"].items()}
        record = Record(**json.loads(content[RECORD])) if RECORD in content else None
        return Checkpoint(path, int(content["epoch"]) + 1, shapes, record)
    except Exception as error:  # an invalid pickle can raise any exception
        size = path.stat().st_size
        raise SettingsError(
            f"{path}: is damaged ({size} bytes{'' if size else ', empty'}); delete it, and --resume trains this phase "
            "from the beginning"
        ) from error


def deciding_settings(config: TrainingConfig, phase: str) -> dict[str, Any]:
    """Dotted name -> value of everything that affects the weights of a phase, except where the data are stored."""
    values = config.model_dump(
        mode="json",
        exclude={
            "name": True,
            "output": True,
            "hardware": True,
            "tracking": True,
            "proposals": set(config.RANKING),
            "model": {"pretrained", "pretrained_preprocessing"},
            "data": {name for name in type(config.data).model_fields if name != "subset"},
        },
    )
    if phase == "stages":
        del values["evaluator"], values["proposals"]
    return dict(_flat(values))


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        found += _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else [(f"{before}{name}", value)]
    return found


def _require_same(checkpoint: Checkpoint, phase: str, config: TrainingConfig) -> None:
    if checkpoint.record is None:
        return
    began, now = checkpoint.record.settings, deciding_settings(config, phase)
    section = config.stages if phase == "stages" else config.evaluator
    other = [name for name in sorted({*began, *now}) if began.get(name) != now.get(name)]
    if section.schedule == "constant" and section.epochs >= checkpoint.epochs:
        other = [name for name in other if name != f"{phase}.epochs"]  # more epochs at a constant rate
    if other:
        listed = "; ".join(
            f"{name}: {_listed(began.get(name))}, now {_listed(now.get(name))}" for name in other[:_SETTINGS_SHOWN]
        )
        more = f" and {len(other) - _SETTINGS_SHOWN} more" if len(other) > _SETTINGS_SHOWN else ""
        raise SettingsError(
            f"{checkpoint.path}: was started with another configuration ({listed}{more}); restore it, or change "
            "`output` to start a new training"
        )


def _listed(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
