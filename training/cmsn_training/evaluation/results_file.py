"""Ranked proposals and detections from ActivityNet's results format, as `cmsn run --results` and others write it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cmsn_runtime.errors import AnnotationError, SettingsError
from cmsn_runtime.json_files import read_json
from cmsn_runtime.segments import Account, number_of, segment_of, shown
from cmsn_training.evaluation.detection import Detections
from cmsn_training.evaluation.tiou import Spans

_UNLABELLED = "without a label, they count in recall alone"


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """proposals: video -> spans [K, 2] in seconds, best score first; equal scores keep the file's order.

    detections: class -> video -> what was found of it; empty where the file names no labels.
    """

    proposals: dict[str, Spans]
    detections: dict[str, dict[str, Detections]]


@dataclass(frozen=True, slots=True, eq=False)
class ResultsFile:
    """One file of results."""

    path: Path
    results: Results


@dataclass(frozen=True, slots=True)
class _Proposal:
    start: float
    end: float
    score: float
    label: str | None


def read_all(
    paths: Sequence[Path], *, most: int | None = None, note: Callable[[str], object] = lambda line: None
) -> dict[str, ResultsFile]:
    """Several files, by unique names: their stems where these are unique, otherwise their paths.

    Raises as `read_results`, and SettingsError where one is given twice.
    """
    files: dict[str, ResultsFile] = {}
    for path in paths:
        alone = sum(path.stem == other.stem for other in paths) == 1
        name = path.stem if alone else str(path)
        if name in files:
            raise SettingsError(f"{path} is given twice; give each file of results once")
        files[name] = ResultsFile(path, read_results(path, most=most, note=note))
    return files


def read_results(path: Path, *, most: int | None = None, note: Callable[[str], object] = lambda line: None) -> Results:
    """From {"results": {NAME: [{"score", "segment": [start, end], "label"}]}}; the object around NAME may be missing.

    Numbers may be text; labels may be missing, all or some. Proposals that cannot be used are left out.
    most: keep only this many per video, by score. note: is called with one line that counts what was left out.
    Raises AnnotationError where nothing in the file can be used.
    """
    file = read_json(path)
    account = Account(str(path))
    lists = {str(name): _proposals(items, str(name), account) for name, items in _lists(file.content, path).items()}
    if account and not any(lists.values()):
        raise AnnotationError(
            f'{account}; nothing is left to use: each proposal is {{"score": s, "segment": [start, end]}}, in seconds'
        )
    for name in sorted(file.repeated & set(lists)):
        account.add("named twice, the last is taken", name)
    for name in _incomplete(file.content):
        account.add("not read to their end", name)
    ranked = {name: sorted(found, key=lambda one: -one.score)[:most] for name, found in lists.items()}
    if any(one.label for found in ranked.values() for one in found):
        _count_unlabelled(ranked, account)
    if account:
        note(str(account))
    return Results({name: _spans(found) for name, found in ranked.items()}, _by_class(ranked))


def _lists(content: object, path: Path) -> Mapping[str, object]:
    if isinstance(content, Mapping):
        results = content.get("results")
        if isinstance(results, Mapping):
            return results
        if results is None and content and all(isinstance(items, list) for items in content.values()):
            return content
    raise AnnotationError(f'{path}: no "results"; ActivityNet\'s format is {{"results": {{NAME: [...]}}}}')


def _incomplete(content: object) -> Iterable[str]:
    """The videos that `cmsn run` could not read to their end, as it recorded them."""
    external = content.get("external_data") if isinstance(content, Mapping) else None
    incomplete = external.get("incomplete") if isinstance(external, Mapping) else None
    return map(str, incomplete) if isinstance(incomplete, Mapping) else ()


def _proposals(items: object, name: str, account: Account) -> list[_Proposal]:
    if not isinstance(items, list):
        account.add("left out, no list of proposals", name)
        return []
    found = [_proposal(item, name, account) for item in items]
    return [one for one in found if one is not None]


def _proposal(item: object, name: str, account: Account) -> _Proposal | None:
    fields = item if isinstance(item, Mapping) else {}
    segment, score = segment_of(fields.get("segment")), number_of(fields.get("score"))
    if segment is None or score is None:
        account.add("left out, no segment [start, end] with a score", f"{name} {item!r:.60}")
        return None
    if segment[1] < segment[0]:
        account.add("left out, reversed", shown(name, *segment))
        return None
    label = fields.get("label")
    return _Proposal(*segment, score, None if label in (None, "") else str(label))


def _count_unlabelled(ranked: Mapping[str, list[_Proposal]], account: Account) -> None:
    for name, found in ranked.items():
        for one in found:
            if one.label is None:
                account.add(_UNLABELLED, shown(name, one.start, one.end))


def _by_class(ranked: Mapping[str, list[_Proposal]]) -> dict[str, dict[str, Detections]]:
    detections: defaultdict[str, dict[str, Detections]] = defaultdict(dict)
    for name, found in ranked.items():
        for label in sorted({one.label for one in found if one.label is not None}):
            mine = [one for one in found if one.label == label]
            detections[label][name] = Detections(_spans(mine), np.array([one.score for one in mine]))
    return dict(detections)


def _spans(found: list[_Proposal]) -> Spans:
    return np.array([(one.start, one.end) for one in found], dtype=np.float64).reshape(-1, 2)
