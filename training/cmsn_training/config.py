"""The training configuration: one TOML file, checked once, kept in every checkpoint."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking.tracker import TrackerSettings
from cmsn_training.config_sections import (
    DataConfig,
    EvaluatorPhaseConfig,
    FeaturesConfig,
    GridConfig,
    HardwareConfig,
    LossConfig,
    ModelConfig,
    PreprocessingConfig,
    ProposalsConfig,
    Section,
    StagePhaseConfig,
    TrackingConfig,
)
from cmsn_training.models.c3d import TIME_STRIDE
from cmsn_training.models.pretrained import check_preprocessing, check_width, read_c3d_weights

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class TrainingConfig(Section):
    """All of it. `output` is where checkpoints, logs and the final model.safetensors go."""

    name: str = "cmsn"
    output: Path = Path("runs/cmsn")
    seed: int = 0
    data: DataConfig
    model: ModelConfig = ModelConfig()
    grid: GridConfig = GridConfig()
    features: FeaturesConfig | None = None
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    loss: LossConfig = LossConfig()
    stages: StagePhaseConfig = StagePhaseConfig()
    evaluator: EvaluatorPhaseConfig = EvaluatorPhaseConfig()
    proposals: ProposalsConfig = ProposalsConfig()
    tracking: TrackingConfig = TrackingConfig()
    hardware: HardwareConfig = HardwareConfig()

    @model_validator(mode="after")
    def _one_input(self) -> TrainingConfig:
        if self.features is None and self.grid.stride != TIME_STRIDE:
            raise ValueError(f"grid.stride is {self.grid.stride}; with pictures it is {TIME_STRIDE}, as C3D pools")
        if self.features is not None and self.preprocessing != PreprocessingConfig():
            raise ValueError("both [features] and [preprocessing] are given; feature rows have no preprocessing")
        if self.features is not None and self.model.pretrained is not None:
            raise ValueError("both [features] and model.pretrained are given; feature rows go through no C3D")
        if self.features is None and self.stages.batch > 1:
            raise ValueError("stages.batch is above 1; windows of pictures go one by one, set stages.accumulate")
        return self

    def time_grid(self) -> TimeGrid:
        """The grid the networks live on."""
        return TimeGrid(fps=self.grid.fps, stride=self.grid.stride, window=self.grid.window)

    def picture(self) -> Preprocessing:
        """What happens to pictures before the networks."""
        return Preprocessing(**self.preprocessing.model_dump())

    def proposal_settings(self) -> ProposalSettings:
        """How proposals are made."""
        model = self.model
        return ProposalSettings(**self.proposals.model_dump(), roi_bins=model.roi_bins, roi_context=model.roi_context)

    def tracker_settings(self) -> TrackerSettings:
        """When something is said."""
        return TrackerSettings(**self.tracking.model_dump())


def load_config(path: Path) -> TrainingConfig:
    """Read and check a TOML file. Raises SettingsError that names each wrong field."""
    return resolve_config(read_toml(path), path)


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file. Raises SettingsError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error


def resolve_config(values: object, path: Path) -> TrainingConfig:
    """Check the values that stood in the file `path`: relative paths in them start at its folder."""
    config = parse_config(values, origin=str(path))
    base = path.parent
    data = config.data.model_copy(
        update={field: base / value for field, value in config.data if isinstance(value, Path)}
    )
    config = config.model_copy(update={"data": data, "output": base / config.output})
    return config if config.model.pretrained is None else _with_pretrained(config, base / config.model.pretrained)


def _with_pretrained(config: TrainingConfig, path: Path) -> TrainingConfig:
    """Check that the weights fit before hours of work begin; what [preprocessing] leaves out is taken from them."""
    weights = read_c3d_weights(path)
    check_width(weights, config.model.width)
    given = config.preprocessing.model_fields_set
    left_out = {name: value for name, value in asdict(weights.preprocessing).items() if name not in given}
    config = config.model_copy(
        update={
            "model": config.model.model_copy(update={"pretrained": path}),
            "preprocessing": config.preprocessing.model_copy(update=left_out),
        }
    )
    if config.model.pretrained_preprocessing == "check":
        check_preprocessing(weights, config.picture())
    return config


def parse_config(values: object, *, origin: str) -> TrainingConfig:
    """Check already parsed values (from TOML, or from a checkpoint). Raises SettingsError."""
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        raise SettingsError(f"{origin}: {wrong}") from error
