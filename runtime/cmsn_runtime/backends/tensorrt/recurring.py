"""An engine whose recurring work becomes CUDA graphs: a few of them, the most recently used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from cmsn_runtime.backends.shapes import Shape
from cmsn_runtime.backends.tensorrt.capturing import CapturedWork
from cmsn_runtime.backends.tensorrt.engine import Binding, Tensor, TensorRTEngine

_MOST_WORK = 128  # graphs, and work that may become graphs, per engine
_MOST_CONTEXTS = 8  # shapes with their own context, which takes the memory of one run's activations
_PATIENCE = 256  # runs for which an unused context is kept before another shape may replace it

_Key = tuple[tuple[int, ...], tuple[Shape, ...]]  # addresses and shapes, in the order of the tensors


@dataclass(slots=True, eq=False)
class _Work:
    """Work that was run. graph: its CUDA graph once it recurred, if it could be captured."""

    runs: int = 0
    graph: CapturedWork | None = None
    context: _Context | None = None


@dataclass(slots=True, eq=False)
class _Context:
    """An execution context for one shape of every input. latest: number of the run that used it last."""

    binding: Binding
    latest: int = 0
    works: list[_Work] = field(default_factory=list)


class RecurringEngine:
    """Runs an engine; work that recurs with the same addresses and shapes is captured in its second run.

    A graph holds only as long as its context keeps the shapes it was captured with, so each shape has a context of
    its own (a fixed shape needs no other). Where contexts, memory or cuda-bindings are missing, runs are plain.
    """

    def __init__(self, engine: TensorRTEngine) -> None:
        self._engine = engine
        self._device = engine.device
        self._works: OrderedDict[_Key, _Work] = OrderedDict()
        self._contexts: dict[tuple[Shape, ...], _Context] = {}
        self._captures = True
        self._most_contexts = _MOST_CONTEXTS
        self._runs = 0

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The engine's inputs and outputs, by name."""
        return self._engine.tensors

    @property
    def graphs(self) -> int:
        """Current number of graphs."""
        return sum(work.graph is not None for work in self._works.values())

    def run(self, addresses: Mapping[str, int], shapes: Mapping[str, Shape], *, recurs: bool = True) -> None:
        """Enqueue a run. recurs: whether the same addresses and shapes may recur. Raises BackendError."""
        self._runs += 1
        work = self._work(addresses, shapes) if recurs and self._captures else None
        if work is None:
            self._engine.enqueue(self._engine.plain, addresses, shapes)
        elif work.graph is not None and work.context is not None:
            work.context.latest = self._runs
            work.graph.launch()
        else:
            work.runs += 1
            self._run_and_capture(work, addresses, shapes)

    def close(self) -> None:
        """Release the graphs; none of them may be running."""
        for work in self._works.values():
            _destroy(work)
        self._works.clear()
        self._contexts.clear()

    def _work(self, addresses: Mapping[str, int], shapes: Mapping[str, Shape]) -> _Work:
        key = (tuple(addresses.values()), tuple(shapes.values()))
        work = self._works.get(key)
        if work is None:
            work = self._works[key] = _Work()
            if len(self._works) > _MOST_WORK:
                _, oldest = self._works.popitem(last=False)
                self._forget(oldest)
        self._works.move_to_end(key)
        return work

    def _run_and_capture(self, work: _Work, addresses: Mapping[str, int], shapes: Mapping[str, Shape]) -> None:
        context = self._context(tuple(shapes.values())) if work.runs > 1 else None
        if context is None:
            self._engine.enqueue(self._engine.plain, addresses, shapes)
            return
        binding = context.binding
        self._engine.enqueue(binding, addresses, shapes)
        # Directly after a run with these very shapes: TensorRT allocates in the first run after a change.
        self._device.synchronize()
        work.graph = self._device.capturing.capture(lambda: self._engine.enqueue(binding, addresses, shapes))
        if work.graph is None:
            self._give_up()
        else:
            work.context = context
            context.works.append(work)

    def _context(self, shapes: tuple[Shape, ...]) -> _Context | None:
        """The context of these shapes; None where none is free."""
        if not self._device.capturing.available:
            self._captures = False
            return None
        found = self._contexts.get(shapes)
        if found is None:
            binding = self._engine.plain if self._engine.fixed else self._new_binding()
            if binding is None:
                return None
            found = self._contexts[shapes] = _Context(binding)
        found.latest = self._runs
        return found

    def _new_binding(self) -> Binding | None:
        if len(self._contexts) >= self._most_contexts:
            oldest = min(self._contexts, key=lambda shapes: self._contexts[shapes].latest, default=None)
            if oldest is None or self._runs - self._contexts[oldest].latest < _PATIENCE:
                return None
            self._release(self._contexts.pop(oldest))
        binding = self._engine.new_binding()
        if binding is None:  # none will be available in the next run either
            self._most_contexts = len(self._contexts)
        return binding

    def _release(self, context: _Context) -> None:
        """Release a context with its graphs."""
        self._device.synchronize()
        for work in tuple(context.works):
            _destroy(work)
        if context.binding is not self._engine.plain:
            self._engine.release(context.binding)

    def _forget(self, work: _Work) -> None:
        if work.graph is not None:
            self._device.synchronize()
            _destroy(work)

    def _give_up(self) -> None:
        """Stop capturing: work that cannot be captured once, such as loops, never can."""
        self._captures = False
        for context in self._contexts.values():
            self._release(context)
        self._works.clear()
        self._contexts.clear()


def _destroy(work: _Work) -> None:
    if work.graph is not None:
        work.graph.destroy()
    if work.context is not None:
        work.context.works.remove(work)
    work.graph = work.context = None
    work.runs = 0
