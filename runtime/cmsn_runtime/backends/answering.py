"""Drives the work of streams: one alone, or many cameras in batches."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np

from cmsn_runtime.backends.asks import Answer, Ask, Evaluate, Extract, Floats, Stages, Work
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import BackendError

_Result = TypeVar("_Result")
_Key = TypeVar("_Key", bound=Hashable)
_Kind = TypeVar("_Kind", bound=Ask)


def answer_alone(work: Work[_Result], backend: Backend) -> _Result:
    """Run the work of one stream to its end. Raises what the work or the backend raises."""
    try:
        ask = next(work)
        while True:
            (given,) = answer([ask], backend)
            ask = _advanced(work, given)
    except StopIteration as ended:
        result: _Result = ended.value
        return result
    except Exception as error:
        _raise_interrupt_behind(error)
        raise


def answer_together(works: Sequence[Work[_Result]], backend: Backend) -> list[_Result | Exception]:
    """Run the work of many streams, each to its end; asks that are pending at the same time are answered in batches.

    Returns the result of each, or the error that ended it: a fault of one camera, or of its user's callback, affects
    no other camera.
    """
    together: WorkTogether[int, _Result] = WorkTogether(backend)
    results: dict[int, _Result | Exception] = {}
    for index, work in enumerate(works):
        results.update(together.begin(index, work))
    while together.pending:
        results.update(together.answer())
    return [results[index] for index in range(len(works))]


class WorkTogether(Generic[_Key, _Result]):
    """Work of many streams under way, each waiting for the answer to an ask. More may begin between answers.

    pending: the keys of work that is under way.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._waiting: dict[_Key, tuple[Work[_Result], Ask]] = {}

    @property
    def pending(self) -> Collection[_Key]:
        """Keys of the work under way, in the order of their asks."""
        return self._waiting.keys()

    def begin(self, key: _Key, work: Work[_Result]) -> dict[_Key, _Result | Exception]:
        """Run work up to its first ask -> {key: result}, if it ended before one. No work of that key may be pending."""
        return self._advanced(key, work, None)

    def answer(self) -> dict[_Key, _Result | Exception]:
        """Answer every pending ask -> the results, or errors, of the work that ended."""
        waiting, self._waiting = self._waiting, {}
        answers = answer([ask for _, ask in waiting.values()], self._backend)
        ended: dict[_Key, _Result | Exception] = {}
        for (key, (work, _)), given in zip(waiting.items(), answers, strict=True):
            ended.update(self._advanced(key, work, given))
        return ended

    def drop(self, key: _Key) -> None:
        """Forget the work of that key, which somebody else has ended."""
        self._waiting.pop(key, None)

    def _advanced(
        self, key: _Key, work: Work[_Result], given: Answer | Exception | None
    ) -> dict[_Key, _Result | Exception]:
        try:
            self._waiting[key] = work, _advanced(work, given)
        except StopIteration as ended:
            return {key: ended.value}
        except Exception as error:
            _raise_interrupt_behind(error)
            return {key: error}
        return {}


def _raise_interrupt_behind(error: Exception) -> None:
    """A Ctrl-C that arrives inside compiled code (numba's) comes out as the cause of SystemErrors: raise it itself."""
    cause: BaseException | None = error
    while isinstance(cause, SystemError):
        cause = cause.__cause__
    if cause is not None and not isinstance(cause, Exception):
        raise cause from None


def answer(asks: Sequence[Ask], backend: Backend) -> list[Answer | Exception]:
    """Answers in the order of the asks, computed in batches of what fits together.

    Chunks of one shape, windows of one length, and proposals of any windows go together, `largest_batch` at a time.
    Where a batch fails, each ask is tried alone, so that only the faulty ones get the error. Any error but a
    BackendError goes to the whole batch: how far the backend got is unknown.
    """
    answers: dict[int, Answer | Exception] = {}
    for batch in _batches(asks, backend.largest_batch):
        answers.update(zip(batch, _answer_batch([asks[index] for index in batch], backend), strict=True))
    return [answers[index] for index in range(len(asks))]


def _batches(asks: Sequence[Ask], largest: int) -> Iterator[list[int]]:
    """Groups of indices of asks that fit together, ordered by the first ask of each."""
    groups: dict[Hashable, list[int]] = {}
    for index, ask in enumerate(asks):
        groups.setdefault(_shape(ask), []).append(index)
    for group in groups.values():
        for begin in range(0, len(group), largest):
            yield group[begin : begin + largest]


def _shape(ask: Ask) -> Hashable:
    """What asks must have in common to share a batch."""
    if isinstance(ask, Extract):
        return "extract", ask.frames.shape, ask.frames.dtype.str
    return ("stages", len(ask.window)) if isinstance(ask, Stages) else "evaluate"


def _answer_batch(asks: Sequence[Ask], backend: Backend) -> list[Answer | Exception]:
    try:
        answers = _compute(asks, backend)
        if len(answers) != len(asks):
            raise BackendError(f"{backend.name} gave {len(answers)} answers to {len(asks)} asks; it must answer each")
        return list(answers)
    except Exception as error:
        if len(asks) == 1 or not isinstance(error, BackendError):
            return [error] * len(asks)
    return [part for ask in asks for part in _answer_batch([ask], backend)]


def _compute(asks: Sequence[Ask], backend: Backend) -> Sequence[Answer]:
    """One call of the backend; all asks are of one kind."""
    first = asks[0]
    if isinstance(first, Extract):
        return backend.extract(_all(asks, Extract))
    if isinstance(first, Stages):
        return [_finite(found, "stage probabilities", backend) for found in backend.stages(_all(asks, Stages))]
    return [_finite(found, "predicted tIoU", backend) for found in backend.evaluate(_all(asks, Evaluate))]


def _all(asks: Sequence[Ask], kind: type[_Kind]) -> list[_Kind]:
    return [ask for ask in asks if isinstance(ask, kind)]


def _finite(found: Floats, what: str, backend: Backend) -> Floats:
    """An overflow in FP16 would otherwise be Background forever: a blind camera that reports nothing."""
    if not np.isfinite(found).all():
        raise BackendError(
            f"{backend.name} computed {what} that are not finite; the network overflowed or its input is broken; "
            "run with FP32 graphs (`cmsn build --precision fp32`, or --backend onnxruntime)"
        )
    return found


def _advanced(work: Work[_Result], answered: Answer | Exception | None) -> Ask:
    """The next ask of some work. answered: its previous ask; None where it has not begun."""
    if answered is None:
        return next(work)
    return work.throw(answered) if isinstance(answered, Exception) else work.send(answered)
