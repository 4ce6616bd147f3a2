"""The extractor on the device: one run for a batch of cameras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import prod

from cmsn_runtime.backends.asks import Extract, Moments
from cmsn_runtime.backends.counters import counters
from cmsn_runtime.backends.shapes import Shape
from cmsn_runtime.backends.tensorrt.cuda import Device
from cmsn_runtime.backends.tensorrt.engine import Tensor
from cmsn_runtime.backends.tensorrt.recurring import RecurringEngine
from cmsn_runtime.backends.tensorrt.states import DeviceFeatures, DeviceState, Rack, StateLayout, StatePool, neighbours
from cmsn_runtime.errors import BackendError


class DeviceExtractor:
    """Runs the extractor's engine over the states of a pool. The device must be current in every call except `check`.

    resources: releases what is allocated. row_bytes: size of one step's features. stride: frames per step.
    input: "frames" or "rows". states: the states' tensors by name.
    """

    def __init__(
        self, device: Device, engine: RecurringEngine, resources: ExitStack, *, stride: int, row_bytes: int
    ) -> None:
        tensors = engine.tensors
        self.input = "rows" if "rows" in tensors else "frames"
        cameras, chunk, *shape = tensors[self.input].largest or ()
        self.largest_batch = cameras
        self.chunk_frames = chunk
        self.input_shape: Shape = tuple(shape)
        self.states: Mapping[str, Tensor] = {name[5:]: item for name, item in tensors.items() if name[:5] == "past."}
        sizes = {name: prod(item.shape[1:]) * item.dtype.itemsize for name, item in self.states.items()}
        self._layout = StateLayout(sizes, features=chunk // stride * row_bytes)
        self.pool = StatePool(device, self._layout, cameras)
        resources.callback(self.pool.release)
        self._steps = chunk // stride
        self._stride = stride
        self._device = device
        self._engine = engine
        self._resources = resources
        self._shapes = {name: item.shape[1:] for name, item in tensors.items() if item.is_input}
        self._shapes[self.input] = (chunk, *shape)
        inputs = {self.input: (cameras, chunk, *shape), "position": (cameras,), "length": (cameras,)}
        self._staging = {name: device.staging(size, tensors[name].dtype) for name, size in inputs.items()}
        for staging in self._staging.values():
            resources.callback(staging.free)
        self._buffers: Rack | None = None  # for batches whose slots are not neighbours
        self._read = device.event()  # recorded once the device has read the last batch
        self._read.record(device.stream)
        resources.callback(self._release_event)

    def check(self, frames: Moments) -> None:
        """Raise BackendError for frames of another type or shape."""
        expected, dtype = (self.chunk_frames, *self.input_shape), self._staging[self.input].host.dtype
        if frames.dtype != dtype or frames.shape != expected:
            raise BackendError(
                f"{self.input} are {frames.dtype} {list(frames.shape)}; these engines take {dtype} {list(expected)}; "
                "prepare them with cmsn_runtime.pictures.fitting, or build for another chunk"
            )

    def run(self, batch: Sequence[tuple[Extract, DeviceState]]) -> list[DeviceFeatures]:
        """Enqueue a run for each camera of the batch once; nothing waits for the device. Raises BackendError."""
        ordered = sorted(batch, key=lambda item: self.pool.place(item[1]))
        states = [state for _, state in ordered]
        self._upload([ask for ask, _ in ordered])
        if len(list(neighbours(states))) == 1 and self._layout.is_aligned(states[0].slot):
            self._run_in_place(states)
        else:
            self._run_gathered(states)
        if self._device.facts.integrated:  # the inputs are read in place
            self._read.record(self._device.stream)
        for state in states:
            state.move_on()
        return [DeviceFeatures(state, state.turn, 0, self._steps) for _, state in batch]

    def _upload(self, asks: Sequence[Extract]) -> None:
        self._read.synchronize()  # until then the last batch uses the staging buffers
        frames, position, length = self._staging.values()
        for index, ask in enumerate(asks):
            frames.host[index] = ask.frames
            position.host[index], length.host[index] = counters(ask.position, ask.length, stride=self._stride)
        for staging in (frames, position, length):
            staging.upload(len(asks))
        if not self._device.facts.integrated:  # copied: the next batch need not wait for this one's run
            self._read.record(self._device.stream)

    def _run_in_place(self, states: Sequence[DeviceState]) -> None:
        """One run over neighbouring slots; cameras that ran without the others change sides first."""
        first = states[0]
        side = round(sum(state.side for state in states) / len(states))
        for state in states:
            if state.side != side:
                self._copy_states(state.rack, state.slot, state.rack, state.slot, (state.side, side), 1)
                state.side = side
        self._enqueue(first.rack, side, first.slot, len(states))

    def _run_gathered(self, states: Sequence[DeviceState]) -> None:
        """One run over copies of the states; its results are copied back to the cameras' slots."""
        if self._buffers is None:
            self._buffers = Rack(self._device, self._layout, self.largest_batch)
            self._resources.callback(self._buffers.release)
        buffers, runs = self._buffers, list(_of_one_side(states))
        for index, count in runs:
            state = states[index]
            self._copy_states(state.rack, state.slot, buffers, index, (state.side, 0), count)
        self._enqueue(buffers, 0, 0, len(states))
        for index, count in runs:
            state = states[index]
            self._copy_states(buffers, index, state.rack, state.slot, (1, 1 - state.side), count)
            target, source = state.rack.features(state.slot), buffers.features(index)
            self._device.copy(target, source, count * self._layout.features)

    def _copy_states(self, source: Rack, begin: int, target: Rack, to: int, sides: tuple[int, int], count: int) -> None:
        """Copy the states of neighbouring cameras, from one side of a rack to one of another."""
        for name, nbytes in self._layout.states.items():
            here, there = source.state(name, sides[0], begin), target.state(name, sides[1], to)
            self._device.copy(there, here, count * nbytes)

    def _release_event(self) -> None:
        """Release the event while the device is current: otherwise pycuda would leak it."""
        del self._read

    def _enqueue(self, rack: Rack, side: int, slot: int, cameras: int) -> None:
        addresses = {name: staging.address for name, staging in self._staging.items()}
        addresses |= rack.addresses(side, slot)
        self._engine.run(addresses, {name: (cameras, *shape) for name, shape in self._shapes.items()})


def _of_one_side(states: Sequence[DeviceState]) -> list[tuple[int, int]]:
    """`neighbours`, split where the side that is read next changes."""
    runs: list[tuple[int, int]] = []
    for begin, count in neighbours(states):
        cuts = [at for at in range(begin + 1, begin + count) if states[at].side != states[at - 1].side]
        ends = [*cuts, begin + count]
        runs += [(start, end - start) for start, end in zip([begin, *cuts], ends, strict=True)]
    return runs
