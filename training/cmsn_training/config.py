"""The training configuration: one TOML file, checked once, kept in every checkpoint."""

from __future__ import annotations

import sys
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.preprocessing import Preprocessing
from cmsn_runtime.proposing.settings import NmsKind, ProposalSettings, Scoring
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking import TrackerSettings
from cmsn_training.losses.building import LossKind, build_loss
from cmsn_training.losses.vmcl import MarginForm
from cmsn_training.models.c3d import TIME_STRIDE
from cmsn_training.models.feature_extractor import PoolKind
from cmsn_training.models.pretrained import check_preprocessing, check_width, read_c3d_weights
from cmsn_training.models.tiou_heads import HeadKind

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """Folders of videos (or of feature files) with their annotations; relative paths start at the TOML file.

    annotations: an ActivityNet JSON, or a folder of THUMOS14's CLASS_val.txt files.
    subset: of a JSON with several ("training", "validation"), the one to take; all without.
    validation: watched while training. test: what `cmsn ablate` judges on, and nothing else looks at.
    missing: annotated videos that are not there are an error, or left out with a warning (`skip`): of ActivityNet's,
        some have vanished. decoders: processes that decode videos at a time.
    """

    videos: Path
    annotations: Path
    subset: str | None = None
    validation_videos: Path | None = None
    validation_annotations: Path | None = None
    validation_subset: str | None = None
    test_videos: Path | None = None
    test_annotations: Path | None = None
    test_subset: str | None = None
    missing: Literal["error", "skip"] = "error"
    cache: Path = Path("cache")
    decoders: Annotated[int, Field(ge=1)] = 1

    def held_out(self) -> tuple[Path, Path] | None:
        """Videos and annotations to validate on, where both are given."""
        if self.validation_videos is None or self.validation_annotations is None:
            return None
        return self.validation_videos, self.validation_annotations


class ModelConfig(_Section):
    """Sizes of the three networks. Width 1.0 is the paper's: 64..512 channels, LSTM 512, PES 2048.

    roi_bins, roi_context: see ProposalSettings. evaluator_dropout: of the PES; by default `dropout`.
    evaluator_head: `sigmoid` learns the tIoU by Smooth L1; `vmcl` by VMCL over 100 classes (section 5.3).
    pretrained: C3D weights to start from, see `pretrained.read_c3d_weights`; a relative path starts at the TOML file.
        What [preprocessing] leaves out is then as those weights were trained.
    pretrained_preprocessing: `check` refuses a [preprocessing] with another mean, scale or channel order than theirs.
    """

    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    lstm_hidden: Annotated[int, Field(gt=0)] = 512
    evaluator_hidden: Annotated[int, Field(gt=0)] = 2048
    roi_bins: Annotated[int, Field(gt=0, le=64)] = 8
    roi_context: Annotated[float, Field(ge=0, le=4)] = 0.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    evaluator_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    evaluator_head: HeadKind = "sigmoid"
    pretrained: Path | None = None
    pretrained_preprocessing: Literal["check", "ignore"] = "check"


class FeaturesConfig(_Section):
    """Rows of numbers in place of pictures: `data.videos` holds files of them, there is no extractor (section 5.1).

    width: values a row. names: what they are, for the bundle. context, difference, dropout, pool: see
    FeatureExtractor.
    noise: deviation of the noise added in training, in deviations of each value. stretch: windows are played up to
    exp(stretch) times slower or faster.
    coordinates: values of one point, where a row is a list of points (3 for a skeleton's x, y, z). shift: in training
    all points of a window are moved together, by a random distance of so many deviations: a network that has seen few
    people learns else where in the room they stood.
    """

    width: Annotated[int, Field(ge=1)]
    names: str = "features"
    context: Annotated[int, Field(ge=0)] = 1
    difference: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    pool: PoolKind = "average"
    noise: Annotated[float, Field(ge=0)] = 0.0
    stretch: Annotated[float, Field(ge=0, le=1)] = 0.0
    coordinates: Annotated[int, Field(ge=1)] | None = None
    shift: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _points_fit(self) -> FeaturesConfig:
        if self.coordinates is None and self.shift:
            raise ValueError("shift moves points; set coordinates too, the values of one point (3 for x, y, z)")
        if self.coordinates is not None and self.width % self.coordinates:
            raise ValueError(f"width is {self.width}, no multiple of coordinates = {self.coordinates}")
        return self


class GridConfig(_Section):
    """Rate of the frames (or feature rows) the model sees, rows in a step, and the window of the stage subnet in steps.

    stride is 8 with pictures, as C3D has it; 96 steps are 768 frames then.
    """

    fps: Fraction = Fraction(25)
    stride: Annotated[int, Field(ge=1)] = TIME_STRIDE
    window: Annotated[int, Field(ge=8)] = 96


class PreprocessingConfig(_Section):
    """Picture size and normalisation; goes into the bundle as it stands here."""

    resize: tuple[int, int] = (128, 171)
    crop: tuple[int, int] = (112, 112)
    mean: tuple[float, float, float] = (90.0, 98.0, 102.0)
    scale: float = 1.0
    channels: Literal["rgb", "bgr"] = "bgr"


class LossConfig(_Section):
    """What the stages are learnt by (section 4).

    kind: `softmax` (equation 2), `lmcl` (CosFace, equation 3), `arcface`, `vmcl` (equation 5), `vmcl-arc` (equation 8).
    m: the margin of `lmcl` (0.35 unless given) and `arcface` (0.5 rad); the growth of VMCL's (0.1).
    n, form: VMCL's minimum margin, and how both make f(j, i); see `vmcl.stage_margins`. scale: s of all but `softmax`.
    """

    kind: LossKind = "vmcl"
    m: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    n: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.15
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 16.0
    form: MarginForm = "worked-example"

    @model_validator(mode="after")
    def _margins_fit(self) -> LossConfig:
        build_loss(self)  # refuses what cannot be, with the kinds' own words
        return self


class PhaseConfig(_Section):
    """One training phase. Defaults are the paper's (section 5.1).

    accumulate: steps whose gradients are added up before the weights move.
    """

    epochs: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    schedule: Literal["constant", "one-cycle"] = "constant"
    accumulate: Annotated[int, Field(ge=1)] = 1
    gradient_clip: Annotated[float, Field(gt=0)] | None = None


class StagePhaseConfig(PhaseConfig):
    """Phase 1: extractor and ASS.

    frozen: extractor layers that keep their weights. norm_epochs: epochs in which batch normalisation takes its
        statistics from the window at hand; afterwards it uses the running ones, and at the end it is folded into the
        weights. 0, as in the paper, is for pre-trained weights: there is no normalisation then.
    batch: windows a step, with feature rows only; pictures go one by one, as in the paper.
    flip, light: see `windows.Augmentation`. windows_per_video: drawn per epoch; by default as many as the paper's
        half-overlapped ones.
    """

    epochs: Annotated[int, Field(ge=1)] = 3
    frozen: tuple[str, ...] = ()
    norm_epochs: Annotated[int, Field(ge=0)] = 0
    batch: Annotated[int, Field(ge=1)] = 1
    flip: bool = True
    light: Annotated[float, Field(ge=0, lt=1)] = 0.2
    windows_per_video: Annotated[int, Field(ge=1)] | None = None


class EvaluatorPhaseConfig(PhaseConfig):
    """Phase 2: PES alone, extractor and ASS frozen.

    epochs: 0 leaves the PES untrained, for proposals.scoring = "pre-score".
    views: how often each video goes through the frozen extractor, each time augmented anew (the first is plain).
    windows_per_view: windows drawn from each view in an epoch. least: see `sampling.balanced_sample`.
    most: of a window, drawn from its sample; none takes all, as the paper does.
    """

    epochs: Annotated[int, Field(ge=0)] = 4
    windows_per_view: Annotated[int, Field(ge=1)] = 8
    views: Annotated[int, Field(ge=1)] = 1
    least: Annotated[int, Field(ge=0)] = 0
    most: Annotated[int, Field(ge=1)] | None = None


class ProposalsConfig(_Section):
    """How proposals are made of stages; goes into the bundle. See ProposalSettings."""

    decay: Annotated[float, Field(ge=0)] = 0.09
    nms: NmsKind = "gaussian"
    sigma: Annotated[float, Field(gt=0)] = 0.5
    iou_threshold: Annotated[float, Field(ge=0, le=1)] = 0.65
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.01
    max_proposals: Annotated[int, Field(ge=1)] = 100
    background: tuple[float, ...] = ()
    pes_power: Annotated[float, Field(gt=0)] = 1.0
    scoring: Scoring = "evaluated"


class TrackingConfig(_Section):
    """When something is said of an action; goes into the bundle. See TrackerSettings."""

    settle_steps: Annotated[int, Field(ge=1)] = 8
    provisional_score: Annotated[float, Field(ge=0, le=1)] = 0.1
    revise_steps: Annotated[int, Field(ge=1)] = 1


class HardwareConfig(_Section):
    """What the training runs on, as Lightning names it. devices: how many GPUs, or all of them.

    precision: `bf16-mixed` and `16-mixed` are automatic mixed precision; norms, cosines and losses stay in float32.
    """

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"


class TrainingConfig(_Section):
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
