"""The part of an archive that one of several independent jobs computes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cmsn_runtime.errors import SettingsError

Item = TypeVar("Item")

_TEXT = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `count`-th video from `index`, counted from 0."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise SettingsError(
                f"shard {self.index}/{self.count}: it must be from 0/{self.count} to {self.count - 1}/{self.count}"
            )

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Its part: neighbours go to different shards, as they are often of one length."""
        return list(items[self.index :: self.count])


def shard_from(text: str | None, environment: Mapping[str, str] = os.environ) -> Shard:
    """ "i/n", counted from 0; without text, that of a Slurm array job or of an indexed job of Kubernetes, or all.

    Raises SettingsError.
    """
    if text is not None:
        match = _TEXT.fullmatch(text)
        if match is None:
            raise SettingsError(f"shard {text!r}: it must be INDEX/COUNT, counted from 0, such as 0/8")
        return Shard(int(match[1]), int(match[2]))
    if "SLURM_ARRAY_TASK_ID" in environment:
        first = _number(environment, "SLURM_ARRAY_TASK_MIN", 0)
        return Shard(
            _number(environment, "SLURM_ARRAY_TASK_ID") - first, _number(environment, "SLURM_ARRAY_TASK_COUNT")
        )
    if "JOB_COMPLETION_INDEX" in environment:
        count = _number(environment, "JOB_COMPLETIONS", 0)
        if not count:
            raise SettingsError(
                "JOB_COMPLETION_INDEX is set, and Kubernetes does not tell a job its number of completions; set "
                "JOB_COMPLETIONS in the pod's environment, or give --shard INDEX/COUNT, or --join"
            )
        return Shard(_number(environment, "JOB_COMPLETION_INDEX"), count)
    return Shard()


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    value = environment.get(name, "" if default is None else str(default))
    if not value.isdigit():
        raise SettingsError(f"{name} is {value!r} in the environment; a number is needed; give --shard INDEX/COUNT")
    return int(value)
