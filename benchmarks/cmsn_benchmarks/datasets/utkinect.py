"""UTKinect-Action3D as feature rows with annotations: real untrimmed skeleton sequences.

    python -m cmsn_benchmarks.datasets.utkinect FOLDER OUTPUT

FOLDER holds joints/joints_sXX_eYY.txt (a frame index and 60 values per row) and actionLabel_modified.txt. Writes
OUTPUT/rows/sXX_eYY.npy and, for each of the four folds, OUTPUT/fold-K/{train,test}.json; for each subject alone
OUTPUT/subject-K/{train,test}.json, whose subsets "20", "40" and "80" have so many actions of the other subjects, and
"all" these 139 or 140, with their rows in OUTPUT/parts. The time axis is the row: the
recorder dropped frames at irregular intervals, so frame indices are not a clock. One row is one "second" here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError

NUMBERS = (20, 40, 80)  # actions to learn from, and all
FOLDS = ((1, 2), (3, 4), (5, 6), (7, 8))  # subjects of each test set
_NAME = re.compile(r"s(\d\d)_e\d\d")
_ACTION = re.compile(r"(\w+):\s*(\S+)\s+(\S+)")


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """One recording. frames: int64 [n], the index of each row's frame. rows: float32 [n, 60].

    actions: label, and first and last frame index as annotated.
    """

    name: str
    frames: npt.NDArray[np.int64]
    rows: npt.NDArray[np.float32]
    actions: tuple[tuple[str, int, int], ...]

    @property
    def subject(self) -> int:
        """The person's number."""
        return int(self.name[1:3])

    def segments(self) -> list[tuple[str, int, int]]:
        """Label, first row and the row after the last of each action, in order of time.

        A frame that was not recorded is replaced by the nearest row. The recorder repeats frames: an action begins at
        the first row of its first frame and ends with the last row of its last.
        """
        found = []
        for label, first, last in self.actions:
            begin = int(np.argmin(np.abs(self.frames - first)))
            away = np.abs(self.frames - last)
            end = len(away) - 1 - int(np.argmin(away[::-1]))
            if not first <= last or end < begin:
                raise SettingsError(f"{self.name}: {label} goes from frame {first} to {last}; it must go forward")
            found.append((label, begin, end + 1))
        return sorted(found, key=lambda item: item[1:])


def read_sequences(folder: Path, *, labels: str = "actionLabel_modified.txt") -> list[Sequence]:
    """All recordings. Raises SettingsError where a label has no recording, or a line cannot be read."""
    actions = _read_labels(folder / labels)
    sequences = []
    for name, found in sorted(actions.items()):
        table = np.loadtxt(folder / "joints" / f"joints_{name}.txt")
        sequences.append(Sequence(name, table[:, 0].astype(np.int64), table[:, 1:].astype(np.float32), tuple(found)))
    return sequences


def _read_labels(path: Path) -> dict[str, list[tuple[str, int, int]]]:
    actions: dict[str, list[tuple[str, int, int]]] = {}
    current: list[tuple[str, int, int]] | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if _NAME.fullmatch(text):
            current = actions.setdefault(text, [])
        elif match := _ACTION.fullmatch(text):
            label, *bounds = match.groups()
            if current is None:
                raise SettingsError(f"{path}, line {number}: an action comes before any recording's name")
            if "NaN" not in bounds:  # the one action that was not performed
                current.append((label, int(bounds[0]), int(bounds[1])))
        elif text:
            raise SettingsError(f"{path}, line {number}: {text!r}; a name such as s01_e01 or 'walk: 252 390' is needed")
    return actions


def write_folds(sequences: list[Sequence], output: Path) -> None:
    """Write rows and the annotations of both parts of each fold."""
    (output / "rows").mkdir(parents=True, exist_ok=True)
    for one in sequences:
        np.save(output / "rows" / f"{one.name}.npy", one.rows)
    for number, held_out in enumerate(FOLDS, start=1):
        folder = output / f"fold-{number}"
        folder.mkdir(exist_ok=True)
        for part, wanted in (("train", False), ("test", True)):
            database = {one.name: _entry(one) for one in sequences if (one.subject in held_out) is wanted}
            (folder / f"{part}.json").write_text(json.dumps({"database": database}, indent=1) + "\n", encoding="utf-8")


def write_numbers(sequences: list[Sequence], output: Path) -> None:
    """Write, for each subject, training parts of NUMBERS actions of the others; larger parts hold the smaller ones."""
    (output / "parts").mkdir(parents=True, exist_ok=True)
    for subject in sorted({one.subject for one in sequences}):
        others = [one for one in sequences if one.subject != subject]
        order = np.random.default_rng(subject).permutation(len(others))
        database: dict[str, Any] = {}
        every = sum(len(one.actions) for one in others)
        for subset, number in {**{str(number): number for number in NUMBERS}, "all": every}.items():
            for one, entry in _first_actions([others[index] for index in order], number):
                name = f"{one.name}-{subject}-{subset}"
                np.save(output / "parts" / f"{name}.npy", one.rows[: entry["duration"]])
                database[name] = {"subset": subset, **entry}
        test = {one.name: _entry(one) for one in sequences if one.subject == subject}
        folder = output / f"subject-{subject}"
        folder.mkdir(exist_ok=True)
        for part, content in (("train", database), ("test", test)):
            (folder / f"{part}.json").write_text(json.dumps({"database": content}, indent=1) + "\n", encoding="utf-8")


def _first_actions(sequences: list[Sequence], number: int) -> Iterator[tuple[Sequence, dict[str, Any]]]:
    """Sequences with that many actions in total; the last one ends where its next action would begin."""
    for one in sequences:
        entry = _entry(one)
        if len(entry["annotations"]) > number:
            entry["duration"] = entry["annotations"][number]["segment"][0]
            entry["annotations"] = entry["annotations"][:number]
        if entry["annotations"]:
            yield one, entry
        number -= len(entry["annotations"])
        if not number:
            return


def _entry(one: Sequence) -> dict[str, Any]:
    annotations = [{"label": label, "segment": [begin, end]} for label, begin, end in one.segments()]
    return {"duration": len(one.rows), "annotations": annotations}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("output", type=click.Path(path_type=Path, file_okay=False))
def main(folder: Path, output: Path) -> None:
    """Write the feature rows and folds."""
    sequences = read_sequences(folder)
    write_folds(sequences, output)
    write_numbers(sequences, output)
    actions = sum(len(one.actions) for one in sequences)
    click.echo(f"{output}: {len(sequences)} sequences, {actions} actions")


if __name__ == "__main__":
    main()
