"""The sections of a training configuration, each field with its meaning, bounds and default."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from cmsn_runtime.pictures.settings import ChannelOrder, Preprocessing
from cmsn_training.losses.margins import check_loss
from cmsn_training.models.c3d_layers import C3D_LAYERS, TIME_STRIDE
from cmsn_training.vocabulary import HeadKind, LossKind, MarginForm, Missing, PoolKind

_PICTURES = Preprocessing()


def _possible(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError(f"{str(path)!r} holds a zero byte, which no path can")
    return path


PathField = Annotated[Path, AfterValidator(_possible)]
# The range that PyTorch, NumPy and Lightning all accept.
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Section(BaseModel):
    """A section refuses unknown fields, and is immutable once validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """Folders of videos (or of feature files) with their annotations; relative paths start at the TOML file's folder.

    annotations: an ActivityNet JSON, or a folder of THUMOS14's CLASS_val.txt files.
    subset: of a JSON with several ("training", "validation"), the one to use; by default all.
    validation: watched while training. test: what `cmsn ablate` evaluates on; used by nothing else.
    missing: annotated videos without a file are an error, or left out with a warning (`skip`): of ActivityNet's,
        some have vanished. decoders: processes that decode videos at a time.
    """

    videos: PathField
    annotations: PathField
    subset: str | None = None
    validation_videos: PathField | None = None
    validation_annotations: PathField | None = None
    validation_subset: str | None = None
    test_videos: PathField | None = None
    test_annotations: PathField | None = None
    test_subset: str | None = None
    missing: Missing = "error"
    cache: PathField = Path("cache")
    decoders: Annotated[int, Field(ge=1)] = 1

    def held_out(self) -> tuple[Path, Path] | None:
        """Videos and annotations for validation, where both are given."""
        if self.validation_videos is None or self.validation_annotations is None:
            return None
        return self.validation_videos, self.validation_annotations


class ModelConfig(Section):
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
    pretrained: PathField | None = None
    pretrained_preprocessing: Literal["check", "ignore"] = "check"


class RowsConfig(Section):
    """What is done with rows of numbers (section 5.1). context, difference, dropout, pool: see FeatureExtractor.

    noise: deviation of the noise added in training, in deviations of each value. stretch: windows are played up to
    exp(stretch) times slower or faster.
    """

    context: Annotated[int, Field(ge=0)] = 1
    difference: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    pool: PoolKind = "average"
    noise: Annotated[float, Field(ge=0)] = 0.0
    stretch: Annotated[float, Field(ge=0, le=1)] = 0.0


class FeaturesConfig(RowsConfig):
    """Rows of numbers instead of pictures: `data.videos` holds files of rows, there is no extractor (section 5.1).

    width: values per row. names: what they are, for the bundle.
    coordinates: values of one point, where a row is a list of points (3 for a skeleton's x, y, z). shift: in training
    all points of a window are moved together, by a random distance of this many deviations: a network that has seen few
    people otherwise learns where in the room they stood.
    """

    width: Annotated[int, Field(ge=1)]
    names: str = "features"
    coordinates: Annotated[int, Field(ge=1)] | None = None
    shift: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _points_fit(self) -> FeaturesConfig:
        if self.coordinates is None and self.shift:
            raise ValueError("shift moves points; set coordinates too, the values of one point (3 for x, y, z)")
        if self.coordinates is not None and self.width % self.coordinates:
            raise ValueError(f"width is {self.width}, no multiple of coordinates = {self.coordinates}")
        return self


class GridConfig(Section):
    """Rate of the frames (or feature rows) the model sees, rows in a step, and the window of the stage subnet in steps.

    stride is 8 with pictures, as C3D has it; 96 steps are 768 frames then.
    """

    fps: Fraction = Fraction(25)
    stride: Annotated[int, Field(ge=1)] = TIME_STRIDE
    window: Annotated[int, Field(ge=8)] = 96


class PreprocessingConfig(Section):
    """See Preprocessing, whose defaults these are; copied into the bundle unchanged.

    A section of its own, since it knows which fields were given: the others follow pre-trained weights.
    """

    resize: tuple[int, int] = _PICTURES.resize
    crop: tuple[int, int] = _PICTURES.crop
    mean: tuple[float, float, float] = _PICTURES.mean
    scale: float = _PICTURES.scale
    channels: ChannelOrder = _PICTURES.channels

    def settings(self) -> Preprocessing:
        """The same as the runtime's type. Raises SettingsError where a crop does not fit."""
        return Preprocessing(**self.model_dump())


class LossConfig(Section):
    """The loss of the stages (section 4).

    kind: `softmax` (equation 2), `lmcl` (CosFace, equation 3), `arcface`, `vmcl` (equation 5), `vmcl-arc` (equation 8).
    m: the margin of `lmcl` (0.35 unless given) and `arcface` (0.5 rad); the growth of VMCL's (0.1).
    n, form: VMCL's minimum margin, and how both define f(j, i); see `margin_table`. scale: s of all but `softmax`.
    """

    kind: LossKind = "vmcl"
    m: Annotated[float, Field(ge=0)] | None = None
    n: Annotated[float, Field(ge=0)] = 0.15
    scale: Annotated[float, Field(gt=0)] = 16.0
    form: MarginForm = "worked-example"

    @model_validator(mode="after")
    def _margins_fit(self) -> LossConfig:
        check_loss(self.kind, m=self.m, n=self.n, form=self.form)
        return self


class PhaseConfig(Section):
    """One training phase. Defaults are the paper's (section 5.1).

    accumulate: steps whose gradients are summed before the weights are updated.
    """

    epochs: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    schedule: Literal["constant", "one-cycle"] = "constant"
    accumulate: Annotated[int, Field(ge=1)] = 1
    gradient_clip: Annotated[float, Field(gt=0)] | None = None


class StagePhaseConfig(PhaseConfig):
    """Phase 1: extractor and ASS.

    frozen: layers of C3D that keep their weights. norm_epochs: epochs in which batch normalisation takes its
        statistics from the current window; afterwards it uses the running ones, and at the end it is folded into the
        weights. 0, as in the paper, is for pre-trained weights: there is no normalisation then.
    batch: windows per step, with feature rows only; pictures go one by one, as in the paper.
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

    @field_validator("frozen")
    @classmethod
    def _layers_exist(cls, frozen: tuple[str, ...]) -> tuple[str, ...]:
        layers = [spec.name for spec in C3D_LAYERS]
        unknown = [name for name in frozen if name not in layers]
        if unknown:
            raise ValueError(f"C3D has no layer {', '.join(unknown)}; it has {', '.join(layers)}")
        return frozen


class EvaluatorPhaseConfig(PhaseConfig):
    """Phase 2: PES alone, extractor and ASS frozen.

    epochs: 0 leaves the PES untrained, for proposals.scoring = "pre-score".
    views: how often each video goes through the frozen extractor, each time with a new augmentation (the first has
    none).
    windows_per_view: windows drawn from each view in an epoch. least: see `sampling.balanced_sample`.
    most: candidates per window, drawn from its sample; by default all, as in the paper.
    """

    epochs: Annotated[int, Field(ge=0)] = 4
    windows_per_view: Annotated[int, Field(ge=1)] = 8
    views: Annotated[int, Field(ge=1)] = 1
    least: Annotated[int, Field(ge=0)] = 0
    most: Annotated[int, Field(ge=1)] | None = None


class HardwareConfig(Section):
    """What the training runs on, as Lightning names it. devices: how many GPUs, or all of them.

    precision: `bf16-mixed` and `16-mixed` are automatic mixed precision; norms, cosines and losses stay in float32.
    """

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
