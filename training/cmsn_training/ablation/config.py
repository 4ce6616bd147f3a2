"""A table of experiments: one TOML file that defines what changes from row to row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.toml_files import read_toml
from cmsn_training.config import TrainingConfig, checked, resolve_config
from cmsn_training.config_sections import PathField, Section, Seed
from cmsn_training.models.pretrained import with_pretrained

Method = Literal["cmsn", "watershed", "sliding windows"]
Measure = Literal["first-n", "thumos", "activitynet"]


class RowConfig(Section):
    """One row. change: dotted names of configuration values -> their values in this row.

    method: how proposals are made from the stage scores; all but `cmsn` are baselines. paper: the paper's figures.
    """

    name: str
    change: dict[str, Any] = Field(default_factory=dict)
    method: Method = "cmsn"
    paper: tuple[float, ...] | None = None


class FoldConfig(Section):
    """One division into training and test part; `change` as in a row."""

    name: str
    change: dict[str, Any]


class AblationConfig(Section):
    """The table.

    base: the training configuration all rows start from, relative to this file. an: numbers of proposals per video.
    measure: `first-n` takes each video's first N; the others are the protocols of `cmsn evaluate`.
    tiou: without any, a column is AR at one of `an`; otherwise the recall at one of these tIoU and the only `an`.
    hop_steps: see SegmentSettings. folds: without any, the base's own training and test parts.
    """

    title: str
    base: PathField
    an: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    measure: Measure = "thumos"
    tiou: tuple[Annotated[float, Field(gt=0, le=1)], ...] = ()
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    hop_steps: Annotated[int, Field(ge=1)] = 1
    folds: tuple[FoldConfig, ...] = ()
    rows: Annotated[tuple[RowConfig, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _columns_fit(self) -> AblationConfig:
        if self.tiou and (len(self.an) > 1 or self.measure == "first-n"):
            raise ValueError("with tiou the recall is that at one `an`, by the measure thumos or activitynet")
        for row in self.rows:
            if row.paper is not None and len(row.paper) != len(self.columns):
                raise ValueError(f"row {row.name!r} has {len(row.paper)} figures of the paper for {self.columns}")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Heading of each figure of a row."""
        if self.tiou:
            return tuple(f"R@{self.an[0]} tIoU {limit:g}" for limit in self.tiou)
        return tuple(f"AR@{number}" for number in self.an)


def load_ablation(path: Path) -> AblationConfig:
    """Read and check a table. Raises SettingsError that names each wrong field."""
    config = checked(AblationConfig, read_toml(path), origin=str(path))
    return config.model_copy(update={"base": path.parent / config.base})


def configured(
    table: AblationConfig, row: RowConfig, fold: FoldConfig | None, *, seed: int, output: Path
) -> TrainingConfig:
    """The training configuration of one cell. Raises SettingsError where a change names a field that does not exist."""
    values = read_toml(table.base)
    changes = {**(fold.change if fold else {}), **row.change, "seed": seed}
    for name, value in changes.items():
        *sections, field = name.split(".")
        place = values
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise SettingsError(f"{table.base}: row {row.name!r} changes {name}, but {section} is not a section")
        place[field] = value
    config = with_pretrained(resolve_config(values, table.base))
    return config.model_copy(update={"output": output})
