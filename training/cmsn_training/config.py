"""The training configuration: one TOML file, checked once, kept in every checkpoint."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.preprocessing import Preprocessing
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.losses.vmcl import MarginForm

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """Folders of videos with their ActivityNet-format annotations; relative paths start at the TOML file."""

    videos: Path
    annotations: Path
    validation_videos: Path | None = None
    validation_annotations: Path | None = None
    cache: Path = Path("cache")


class ModelConfig(_Section):
    """Sizes of the three networks. Width 1.0 is the paper's: 64..512 channels, LSTM 512, PES 2048."""

    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    lstm_hidden: Annotated[int, Field(gt=0)] = 512
    evaluator_hidden: Annotated[int, Field(gt=0)] = 2048
    roi_bins: Annotated[int, Field(gt=0, le=64)] = 8
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5


class GridConfig(_Section):
    """Frame rate the model sees, and the window of the stage subnet in feature steps (96 = 768 frames)."""

    fps: Fraction = Fraction(25)
    window: Annotated[int, Field(ge=8)] = 96


class PreprocessingConfig(_Section):
    """Picture size and normalisation; goes into the bundle as it stands here."""

    resize: tuple[int, int] = (128, 171)
    crop: tuple[int, int] = (112, 112)
    mean: tuple[float, float, float] = (90.0, 98.0, 102.0)
    scale: float = 1.0
    channels: Literal["rgb", "bgr"] = "bgr"


class LossConfig(_Section):
    """VMCL: minimum margin n, growth m, scale s (section 4.2)."""

    m: float = 0.1
    n: float = 0.15
    scale: Annotated[float, Field(gt=0)] = 16.0
    form: MarginForm = "worked-example"


class PhaseConfig(_Section):
    """One training phase. Defaults are the paper's (section 5.1)."""

    epochs: Annotated[int, Field(ge=1)]
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
    flip, light: see `windows.Augmentation`. windows_per_video: drawn per epoch; by default as many as the paper's
        half-overlapped ones.
    """

    epochs: Annotated[int, Field(ge=1)] = 3
    frozen: tuple[str, ...] = ()
    norm_epochs: Annotated[int, Field(ge=0)] = 0
    flip: bool = True
    light: Annotated[float, Field(ge=0, lt=1)] = 0.2
    windows_per_video: Annotated[int, Field(ge=1)] | None = None


class EvaluatorPhaseConfig(PhaseConfig):
    """Phase 2: PES alone, extractor and ASS frozen.

    views: how often each video goes through the frozen extractor, each time augmented anew (the first is plain).
    windows_per_view: windows drawn from each view in an epoch. least: see `sampling.balanced_sample`.
    """

    epochs: Annotated[int, Field(ge=1)] = 4
    windows_per_view: Annotated[int, Field(ge=1)] = 8
    views: Annotated[int, Field(ge=1)] = 1
    least: Annotated[int, Field(ge=0)] = 0


class TrainingConfig(_Section):
    """All of it. `output` is where checkpoints, logs and the final model.safetensors go."""

    name: str = "cmsn"
    output: Path = Path("runs/cmsn")
    seed: int = 0
    data: DataConfig
    model: ModelConfig = ModelConfig()
    grid: GridConfig = GridConfig()
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    loss: LossConfig = LossConfig()
    stages: StagePhaseConfig = StagePhaseConfig()
    evaluator: EvaluatorPhaseConfig = EvaluatorPhaseConfig()

    def time_grid(self) -> TimeGrid:
        """The grid the networks live on."""
        return TimeGrid(fps=self.grid.fps, window=self.grid.window)

    def picture(self) -> Preprocessing:
        """What happens to pictures before the networks."""
        return Preprocessing(**self.preprocessing.model_dump())


def load_config(path: Path) -> TrainingConfig:
    """Read and check a TOML file. Raises SettingsError that names each wrong field."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    config = parse_config(values, origin=str(path))
    base = path.parent
    data = config.data.model_copy(
        update={field: base / value for field, value in config.data if isinstance(value, Path)}
    )
    return config.model_copy(update={"data": data, "output": base / config.output})


def parse_config(values: object, *, origin: str) -> TrainingConfig:
    """Check already parsed values (from TOML, or from a checkpoint). Raises SettingsError."""
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        raise SettingsError(f"{origin}: {wrong}") from error
