"""The training configuration: one TOML file, checked once, kept in every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BeforeValidator, SerializerFunctionWrapHandler, ValidationError, WrapSerializer, model_validator
from pydantic_core import ErrorDetails

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.toml_files import read_toml
from cmsn_runtime.tracking.tracker import TrackerSettings
from cmsn_training.config_sections import (
    DataConfig,
    EvaluatorPhaseConfig,
    FeaturesConfig,
    GridConfig,
    HardwareConfig,
    LossConfig,
    ModelConfig,
    PathField,
    PreprocessingConfig,
    Section,
    Seed,
    StagePhaseConfig,
)
from cmsn_training.extractor_config import ExtractorConfig
from cmsn_training.models.c3d_layers import TIME_STRIDE

SectionKind = TypeVar("SectionKind", bound=Section)

# How spans are pooled is a property of the PES: it is set only in [model].
_POOLING = ("roi_bins", "roi_context")


def _without_pooling(values: object) -> object:
    given = [name for name in _POOLING if isinstance(values, Mapping) and name in values]
    if given:
        raise ValueError(f"{', '.join(given)} belongs to the PES; set it in [model]")
    return values


def _unpooled(settings: ProposalSettings, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
    return {name: value for name, value in dump(settings).items() if name not in _POOLING}


Proposals = Annotated[ProposalSettings, BeforeValidator(_without_pooling), WrapSerializer(_unpooled)]


class TrainingConfig(Section):
    """The whole configuration. `output` is where checkpoints, logs and the final model.safetensors go."""

    name: str = "cmsn"
    output: PathField = Path("runs/cmsn")
    seed: Seed = 0
    data: DataConfig
    model: ModelConfig = ModelConfig()
    grid: GridConfig = GridConfig()
    features: FeaturesConfig | None = None
    extractor: ExtractorConfig | None = None
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    loss: LossConfig = LossConfig()
    stages: StagePhaseConfig = StagePhaseConfig()
    evaluator: EvaluatorPhaseConfig = EvaluatorPhaseConfig()
    proposals: Proposals = ProposalSettings()
    tracking: TrackerSettings = TrackerSettings()
    hardware: HardwareConfig = HardwareConfig()

    # How candidates are ranked and suppressed. Decay and decodings decide which candidates the PES is trained on.
    RANKING: ClassVar[frozenset[str]] = frozenset(
        {"nms", "sigma", "iou_threshold", "min_score", "max_proposals", "pes_power", "scoring"}
    )

    @model_validator(mode="after")
    def _one_input(self) -> TrainingConfig:
        if self.features is not None and self.extractor is not None:
            raise ValueError("both [features] and [extractor] are given; rows come from files or from networks")
        if self.features is not None and self.preprocessing != PreprocessingConfig():
            raise ValueError("both [features] and [preprocessing] are given; feature rows have no preprocessing")
        if self.extractor is not None:
            self._networks_fit(self.extractor)
        elif self.features is None and self.grid.stride != TIME_STRIDE:
            raise ValueError(f"grid.stride is {self.grid.stride}; with pictures it is {TIME_STRIDE}, as C3D pools")
        section = "features" if self.features is not None else "extractor"
        if self.features is not None or self.extractor is not None:
            if self.model.pretrained is not None:
                raise ValueError(f"both [{section}] and model.pretrained are given; its rows go through no C3D")
            if self.stages.frozen:
                raise ValueError(f"both [{section}] and stages.frozen are given; its rows go through no C3D")
        elif self.stages.batch > 1:
            raise ValueError("stages.batch is above 1; windows of pictures go one by one, set stages.accumulate")
        self.time_grid()
        if self.model.pretrained is None and (self.extractor is None or self.extractor.width):
            self.picture()  # otherwise the values that [preprocessing] leaves out are unknown here
        return self

    def _networks_fit(self, extractor: ExtractorConfig) -> None:
        given, usual = self.preprocessing, PreprocessingConfig()
        if (given.mean, given.scale, given.channels) != (usual.mean, usual.scale, usual.channels):
            raise ValueError("preprocessing.mean, scale or channels is given; with [extractor] networks have their own")
        for name, network in extractor.networks.items():
            if network.every is not None and self.grid.stride % network.every:
                place = f"extractor.networks.{name}.every"
                raise ValueError(f"{place} is {network.every}; it must divide grid.stride, {self.grid.stride}")

    def time_grid(self) -> TimeGrid:
        """The grid the networks live on."""
        return TimeGrid(fps=self.grid.fps, stride=self.grid.stride, window=self.grid.window)

    def picture(self) -> Preprocessing:
        """What happens to pictures before the networks."""
        if self.extractor is None:
            return self.preprocessing.settings()
        resize, crop = self.preprocessing.resize, self.preprocessing.crop
        flow = self.extractor.flow if self.extractor.has_flow else None
        return Preprocessing(resize, crop, mean=(0.0, 0.0, 0.0), scale=1.0, channels="rgb", flow=flow)

    def proposal_settings(self) -> ProposalSettings:
        """How proposals are made."""
        return replace(self.proposals, roi_bins=self.model.roi_bins, roi_context=self.model.roi_context)


def load_config(path: Path) -> TrainingConfig:
    """Read and check a TOML file. Raises SettingsError that names each wrong field."""
    return resolve_config(read_toml(path), path)


def resolve_config(values: object, path: Path) -> TrainingConfig:
    """Check the values of the file `path`: relative paths in them start at its folder.

    Values that depend on pre-trained weights are still missing, see `pretrained.with_pretrained`. Raises SettingsError.
    """
    config = parse_config(values, origin=str(path))
    return config.model_copy(
        update={
            "data": _placed(config.data, path.parent),
            "model": _placed(config.model, path.parent),
            "extractor": _networks_placed(config.extractor, path.parent),
            "output": path.parent / config.output,
        }
    )


def _placed(section: SectionKind, folder: Path) -> SectionKind:
    """The section with its relative paths resolved against a folder."""
    return section.model_copy(update={name: folder / value for name, value in section if isinstance(value, Path)})


def _networks_placed(extractor: ExtractorConfig | None, folder: Path) -> ExtractorConfig | None:
    if extractor is None:
        return None
    networks = {name: _placed(network, folder) for name, network in extractor.networks.items()}
    return extractor.model_copy(update={"networks": networks})


def parse_config(values: object, *, origin: str) -> TrainingConfig:
    """Check already parsed values (from TOML, or from a checkpoint). Raises SettingsError."""
    return checked(TrainingConfig, values, origin=origin)


def checked(kind: type[SectionKind], values: object, *, origin: str) -> SectionKind:
    """The values as a section. Raises SettingsError that names each wrong field."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{origin}: {'; '.join(map(_wrong, error.errors()))}") from error


def _wrong(item: ErrorDetails) -> str:
    place = ".".join(map(str, item["loc"]))
    message = item["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
