"""torch's ways to run a hop: eager, compiled, channels last, each launched plainly and as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

import torch

from cmsn_benchmarks.gpu.inputs import POOL, POSITION, pictures
from cmsn_benchmarks.gpu.timing import Way
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.incremental import IncrementalExtractor

Tensors = tuple[torch.Tensor, ...]
Forward = Callable[..., Tensors]

_WARM_UP = 3  # runs before a capture: libraries choose their kernels in the first runs


class TypedExtractor(IncrementalExtractor):
    """The extractor, in one precision from the first convolution on; pixels are normalised in float32."""

    def normalise(self, frames: torch.Tensor) -> torch.Tensor:
        """See IncrementalExtractor.normalise."""
        return super().normalise(frames).to(self.conv("conv1a").weight.dtype)


class TorchWay:
    """A hop of some cameras in torch; the next hop reads the states that this one writes."""

    def __init__(self, name: str, forward: Forward, state: Tensors, inputs: list[torch.Tensor]) -> None:
        self.name = name
        self._forward = forward
        self._state = state
        self._inputs = inputs
        self._frames = inputs[0].clone()
        cameras = len(self._frames)
        self._position = torch.full((cameras,), POSITION, device=self._frames.device)
        self._length = torch.full((cameras,), UNKNOWN_LENGTH, device=self._frames.device)

    @torch.inference_mode()
    def hop(self, turn: int) -> None:
        """See Way.hop."""
        self._frames.copy_(self._inputs[turn % POOL], non_blocking=True)
        _, *following = self._forward(self._frames, self._position, self._length, *self._state)
        self._state = tuple(following)

    def wait(self) -> None:
        """See Way.wait."""
        if self._frames.is_cuda:
            torch.cuda.synchronize()

    def close(self) -> None:
        """See Way.close."""
        self._state, self._inputs = (), []
        torch.cuda.empty_cache()


class CapturedTorchWay(TorchWay):
    """The same hop as one CUDA graph; it ends with a copy of the new states over the old ones."""

    @torch.inference_mode()
    def capture(self) -> CapturedTorchWay:
        """Run the hop a few times, then record it."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._step()
        return self

    @torch.inference_mode()
    def hop(self, turn: int) -> None:
        """See Way.hop."""
        self._frames.copy_(self._inputs[turn % POOL], non_blocking=True)
        self._graph.replay()

    def close(self) -> None:
        """See Way.close."""
        super().close()
        self._graph.reset()

    def _step(self) -> None:
        _, *following = self._forward(self._frames, self._position, self._length, *self._state)
        for old, new in zip(self._state, following, strict=True):
            old.copy_(new)


def torch_ways(
    model: CMSN, cameras: int, *, device: str, compiled: bool, tell: Callable[[str], object] = print
) -> Iterator[Way]:
    """Every way that works on this machine; `tell` is called with one line about each that does not.

    FP16 on CUDA, FP32 elsewhere. compiled: also with torch.compile, which takes a minute per number of cameras.
    """
    torch.backends.cudnn.benchmark = True
    torch.compiler.reset()  # otherwise it silently stops compiling after eight variants
    base = model.extractor
    assert isinstance(base, IncrementalExtractor)
    dtype = torch.float16 if device == "cuda" else torch.float32
    label = "FP16" if device == "cuda" else "FP32"
    shape = (8, *base.preprocessing.crop, 3)
    inputs = [torch.from_numpy(array).to(device) for array in pictures(cameras, shape)]
    for layout, suffix in ((torch.contiguous_format, ""), (torch.channels_last_3d, ", channels_last_3d")):
        extractor = typed(base, device=device, dtype=dtype, layout=layout)
        forwards: dict[str, Forward] = {f"torch eager {label}{suffix}": extractor}
        if compiled:
            forwards[f"torch.compile {label}{suffix}"] = torch.compile(extractor, dynamic=False, fullgraph=True)
        for name, forward in forwards.items():
            for graph in (False, True) if device == "cuda" else (False,):
                state = new_state(extractor, cameras, layout=layout)
                full_name = f"{name}, CUDA graph" if graph else name
                try:
                    yield _started(full_name, forward, state, inputs, graph=graph)
                except Exception as error:  # a compiler or a capture that fails: the other ways are still timed
                    tell(f"{full_name} does not work: {' '.join(str(error).split())[:200]}")


def typed(
    base: IncrementalExtractor, *, device: str, dtype: torch.dtype, layout: torch.memory_format
) -> TypedExtractor:
    """A copy of an extractor in another precision and layout; the mean of its pixels stays in float32."""
    copy = TypedExtractor(deepcopy(base.c3d), deepcopy(base.encoder), base.preprocessing).eval().to(device)
    for part in (copy.c3d, copy.encoder):
        part.to(dtype).to(memory_format=layout)  # type: ignore[call-overload]
    return copy


def new_state(extractor: IncrementalExtractor, cameras: int, *, layout: torch.memory_format) -> Tensors:
    """States of zeros, in the precision and layout of the weights."""
    weight = extractor.conv("conv1a").weight
    shapes = extractor.state_shapes().values()
    return tuple(weight.new_zeros(cameras, *shape).to(memory_format=layout) for shape in shapes)


def _started(name: str, forward: Forward, state: Tensors, inputs: list[torch.Tensor], *, graph: bool) -> Way:
    way = CapturedTorchWay(name, forward, state, inputs).capture() if graph else TorchWay(name, forward, state, inputs)
    way.hop(0)
    way.wait()
    return way
