"""pycuda.driver over a simulated device: the part of it that inference needs, with its signatures and exceptions."""

from __future__ import annotations

import enum
import gc
import threading
from collections.abc import Sequence
from contextlib import suppress
from math import prod
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from fake_device import (
    Block,
    Bytes,
    ContractViolation,
    CudaError,
    CudaLogicError,
    CudaMemoryError,
    CudaRuntimeError,
    Mark,
    Queue,
    Region,
    Simulation,
    Work,
)


class event_flags(enum.IntEnum):  # noqa: N801 - pycuda's name, as the next three are
    """How an event waits, and whether it takes the time."""

    DEFAULT = 0
    BLOCKING_SYNC = 1
    DISABLE_TIMING = 2
    INTERPROCESS = 4


class device_attribute(enum.IntEnum):  # noqa: N801
    """Some facts of a device."""

    MULTIPROCESSOR_COUNT = 16
    INTEGRATED = 18
    CAN_MAP_HOST_MEMORY = 19
    UNIFIED_ADDRESSING = 41


class host_alloc_flags:  # noqa: N801
    """Kinds of page-locked memory."""

    PORTABLE = 1
    DEVICEMAP = 2
    WRITECOMBINED = 4


class ctx_flags(enum.IntEnum):  # noqa: N801
    """How a context waits."""

    SCHED_AUTO = 0
    SCHED_SPIN = 1
    SCHED_YIELD = 2
    SCHED_BLOCKING_SYNC = 4
    MAP_HOST = 8


class Facts:
    """What the simulated driver says of its devices. initialised: whether init() was called."""

    def __init__(
        self, *, devices: int, name: str, capability: tuple[int, int], integrated: bool, multiprocessors: int = 8
    ) -> None:
        self.devices = devices
        self.multiprocessors = multiprocessors
        self.name = name
        self.capability = capability
        self.integrated = integrated
        self.initialised = False


class _Bound:
    """Anything of pycuda's, bound to a simulation by a subclass of its own."""

    simulation: ClassVar[Simulation]
    facts: ClassVar[Facts]


class Context(_Bound):
    """A device's primary context, retained once more."""

    def __init__(self) -> None:
        raise TypeError("This class cannot be instantiated from Python")

    @classmethod
    def _retain(cls, device: int) -> Context:
        context = cls.__new__(cls)
        context.valid = True
        context.thread = threading.get_ident()
        context.device = device
        cls.simulation.references[device] = cls.simulation.references.get(device, 0) + 1
        return context

    valid: bool
    thread: int
    device: int

    @property
    def handle(self) -> int:
        """The same of all that retain one device's."""
        return 0x100 + self.device

    def push(self) -> None:
        """Make it this thread's."""
        if not self.valid:
            raise self.simulation.violation("a context was pushed after it was detached")
        self.simulation.stack().append(self)

    @classmethod
    def pop(cls) -> None:
        """Back to the context before."""
        if not cls.simulation.stack():
            cls.simulation.violations.append("Context.pop() without a push() in this thread")
            raise CudaLogicError("context::pop failed: invalid device context - cannot pop non-current context")
        cls.simulation.stack().pop()

    @classmethod
    def get_current(cls) -> Any:
        """This thread's context or None."""
        return cls.simulation.current()

    @classmethod
    def synchronize(cls) -> None:
        """Wait for all work on the device."""
        cls.simulation.require_context("cuCtxSynchronize")
        for queue in list(cls.simulation.queues.values()):
            cls.simulation.forbid_on_captured(queue, "cuCtxSynchronize, which waits for work")
        cls.simulation.drain_all()

    def detach(self) -> None:
        """Let go of it; as in pycuda, nothing happens in a thread where it neither is current nor was retained."""
        if not self.valid:
            raise CudaLogicError("context::detach failed: invalid device context - cannot detach from invalid context")
        wrong = "a context was detached while it was pushed" if self in self.simulation.stack() else None
        self._release()
        if wrong is not None:
            raise self.simulation.violation(wrong)

    def _release(self) -> None:
        if self.simulation.may_clean_up(self, "a reference to the primary context"):
            self.simulation.references[self.device] -= 1
            if self.simulation.references[self.device] == 0 and self.simulation.blocks:
                self.simulation.violations.append("the primary context was destroyed with memory alive in it")
        self.valid = False

    def __del__(self) -> None:
        if getattr(self, "valid", False):
            self._release()


class Device(_Bound):
    """A GPU."""

    context_class: ClassVar[type[Context]]

    def __init__(self, number: int) -> None:
        self._check_initialised("cuDeviceGet")
        if not 0 <= number < self.facts.devices:
            raise CudaLogicError("cuDeviceGet failed: invalid device ordinal")
        self._number = number

    @classmethod
    def count(cls) -> int:
        """How many there are."""
        cls._check_initialised("cuDeviceGetCount")
        return cls.facts.devices

    @classmethod
    def _check_initialised(cls, call: str) -> None:
        if not cls.facts.initialised:
            cls.simulation.violations.append(f"{call} before init()")
            raise CudaLogicError(f"{call} failed: initialization error")

    def name(self) -> str:
        """Of its make."""
        return self.facts.name

    def compute_capability(self) -> tuple[int, int]:
        """As in (8, 7)."""
        return self.facts.capability

    def get_attribute(self, attribute: device_attribute) -> int:
        """One fact of it."""
        values = {
            device_attribute.MULTIPROCESSOR_COUNT: self.facts.multiprocessors,
            device_attribute.INTEGRATED: int(self.facts.integrated),
            device_attribute.CAN_MAP_HOST_MEMORY: 1,
            device_attribute.UNIFIED_ADDRESSING: 1,
        }
        return values[device_attribute(attribute)]

    def retain_primary_context(self) -> Context:
        """Its primary context, which is not pushed."""
        return self.context_class._retain(self._number)

    def make_context(self, flags: int = 0) -> Context:
        """Forbidden: a second context beside torch's."""
        raise self.simulation.violation("Device.make_context(): a second context shares no memory with torch's")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other._number == self._number

    def __hash__(self) -> int:
        return self._number


class Event(_Bound):
    """A place in a stream's work that can be waited for; one never recorded is done."""

    def __init__(self, flags: int = 0) -> None:
        self._context = self.simulation.require_context("cuEventCreate")
        self._mark: Mark | None = None
        self.simulation.events += 1

    def record(self, stream: Stream | None = None) -> Event:
        """Mark where the stream is."""
        self.simulation.require_context("cuEventRecord")
        self._mark = self.simulation.record(_queue(self.simulation, stream, "cuEventRecord"))
        return self

    def synchronize(self) -> Event:
        """Wait until the stream was there."""
        self.simulation.require_context("cuEventSynchronize")
        mark = self._checked("cuEventSynchronize")
        if mark is not None and not mark.done:
            self.simulation.drain(mark.queue, mark)
        return self

    def _checked(self, call: str) -> Mark | None:
        if self._mark is not None and self._mark.captured:
            raise self.simulation.violation(f"{call} of an event that was recorded under capture")
        return self._mark

    def __del__(self) -> None:
        context = getattr(self, "_context", None)
        if context is not None and self.simulation.may_clean_up(context, "an event"):
            self.simulation.events -= 1


class Stream(_Bound):
    """Work that is done in order."""

    def __init__(self, flags: int = 0) -> None:
        self._context = self.simulation.require_context("cuStreamCreate")
        self._queue = self.simulation.new_queue()

    @property
    def handle(self) -> int:
        """Its address."""
        return self._queue.handle

    def synchronize(self) -> None:
        """Wait for all its work."""
        self.simulation.require_context("cuStreamSynchronize")
        self.simulation.forbid_on_captured(self._queue, "cuStreamSynchronize")
        self.simulation.drain(self._queue)

    def __del__(self) -> None:
        context = getattr(self, "_context", None)
        if context is not None and hasattr(self, "_queue") and self.simulation.may_clean_up(context, "a stream"):
            with suppress(ContractViolation):
                self.simulation.close_queue(self._queue)


class DeviceAllocation(_Bound):
    """Device memory. Given back by free(), or once nobody holds it."""

    _block: Block
    _context: Any
    _held: bool

    def __init__(self) -> None:
        raise TypeError("This class cannot be instantiated from Python")

    @classmethod
    def _of(cls, block: Block, context: Any) -> DeviceAllocation:
        allocation = cls.__new__(cls)
        allocation._block, allocation._context, allocation._held = block, context, True
        return allocation

    def __int__(self) -> int:
        return self._block.base

    def __index__(self) -> int:
        return self._block.base

    def free(self) -> None:
        """Give it back."""
        if not self._held:
            raise CudaLogicError("device_allocation::free failed: invalid resource handle")
        self.simulation.forbid_while_capturing("cuMemFree")
        self._held = False
        if self.simulation.may_clean_up(self._context, str(self._block)):
            self.simulation.free(self._block)
        elif self._context.valid:
            raise self.simulation.violation(f"{self._block} was freed without its context")

    def __del__(self) -> None:
        if getattr(self, "_held", False):
            _quietly(self)


class PagelockedHostAllocation(_Bound):
    """Page-locked memory, the base of the array that pagelocked_empty gives."""

    _block: Block
    _context: Any
    _held: bool
    _interface: dict[str, Any]

    def __init__(self) -> None:
        raise TypeError("This class cannot be instantiated from Python")

    @classmethod
    def _of(cls, block: Block, context: Any, interface: dict[str, Any]) -> PagelockedHostAllocation:
        allocation = cls.__new__(cls)
        allocation._block, allocation._context, allocation._held = block, context, True
        allocation._interface = interface
        return allocation

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self._interface

    def get_device_pointer(self) -> int:
        """The address by which the device reaches it."""
        self.simulation.require_context("cuMemHostGetDevicePointer")
        if not self._held:
            raise self.simulation.violation(f"get_device_pointer() of {self._block}, which was freed")
        if not self._block.mapped:
            self.simulation.violations.append("get_device_pointer() of memory without host_alloc_flags.DEVICEMAP")
            raise CudaLogicError("cuMemHostGetDevicePointer failed: invalid argument")
        return self._block.base

    def free(self) -> None:
        """Give it back; no work that is queued may need it, and no array of it may be touched."""
        if not self._held:
            raise CudaLogicError("pagelocked_host_allocation::free failed: invalid resource handle")
        self.simulation.forbid_while_capturing("cuMemFreeHost")
        self._held = False
        if self.simulation.may_clean_up(self._context, str(self._block)):
            if (wrong := self.simulation.free_pinned(self._block)) is not None:
                raise wrong
        elif self._context.valid:
            raise self.simulation.violation(f"{self._block} was freed without its context")

    def __del__(self) -> None:
        if getattr(self, "_held", False):
            _quietly(self)


class Functions:
    """The module's functions."""

    def __init__(self, simulation: Simulation, facts: Facts, classes: dict[str, Any]) -> None:
        self._simulation = simulation
        self._facts = facts
        self._classes = classes

    def init(self, flags: int = 0) -> None:
        """Must come first."""
        if not self._facts.devices:
            raise CudaRuntimeError("cuInit failed: no CUDA-capable device is detected")
        self._facts.initialised = True

    def mem_get_info(self) -> tuple[int, int]:
        """Free and total bytes."""
        self._simulation.require_context("cuMemGetInfo")
        total = self._simulation.memory_bytes
        return total - self._simulation.allocated_bytes, total

    def mem_alloc(self, bytes: int) -> DeviceAllocation:
        """New memory; garbage is collected where there is none left."""
        context = self._simulation.require_context("cuMemAlloc")
        self._simulation.forbid_while_capturing("cuMemAlloc")
        if bytes <= 0:
            raise CudaLogicError("cuMemAlloc failed: invalid argument")
        block = self._simulation.allocate(bytes)
        if block is None:
            gc.collect()
            block = self._simulation.allocate(bytes)
        if block is None:
            raise CudaMemoryError("cuMemAlloc failed: out of memory")
        allocation: DeviceAllocation = self._classes["DeviceAllocation"]._of(block, context)
        return allocation

    def pagelocked_empty(
        self, shape: int | Sequence[int], dtype: npt.DTypeLike, order: str = "C", mem_flags: int = 0
    ) -> npt.NDArray[Any]:
        """A new array in page-locked memory."""
        context = self._simulation.require_context("cuMemHostAlloc")
        self._simulation.forbid_while_capturing("cuMemHostAlloc")
        sides = (shape,) if isinstance(shape, int) else tuple(shape)
        kind = np.dtype(dtype)
        nbytes = prod(sides) * kind.itemsize
        if nbytes <= 0:
            raise CudaLogicError("cuMemHostAlloc failed: invalid argument")
        block = self._simulation.allocate_pinned(nbytes, mapped=bool(mem_flags & host_alloc_flags.DEVICEMAP))
        strides = np.ndarray(sides, kind, block.content, order="F" if order == "F" else "C").strides
        interface = {
            "version": 3,
            "shape": sides,
            "typestr": kind.str,
            "strides": strides,
            "data": (block.base, False),
        }
        return np.asarray(self._classes["PagelockedHostAllocation"]._of(block, context, interface))

    def memcpy_htod_async(self, dest: Any, src: Any, stream: Stream | None = None) -> None:
        """Enqueue a copy from the host."""
        call = "cuMemcpyHtoDAsync"
        self._simulation.require_context(call)
        address, nbytes = _buffer(src)
        source = self._simulation.locate_host(address, nbytes, call)
        self._copy(call, self._simulation.locate(_address(dest), nbytes, call), source, stream)

    def memcpy_dtoh_async(self, dest: Any, src: Any, stream: Stream | None = None) -> None:
        """Enqueue a copy to the host."""
        call = "cuMemcpyDtoHAsync"
        self._simulation.require_context(call)
        address, nbytes = _buffer(dest, writable=True)
        target = self._simulation.locate_host(address, nbytes, call)
        self._copy(call, target, self._simulation.locate(_address(src), nbytes, call), stream)

    def memcpy_dtod_async(self, dest: Any, src: Any, size: int, stream: Stream | None = None) -> None:
        """Enqueue a copy on the device."""
        call = "cuMemcpyDtoDAsync"
        self._simulation.require_context(call)
        target = self._simulation.locate(_address(dest), size, call)
        source = self._simulation.locate(_address(src), size, call)
        if target.overlaps(source):
            raise self._simulation.violation(f"{call}: source and target overlap")
        self._copy(call, target, source, stream)

    def memset_d8_async(self, dest: Any, data: int, size: int, stream: Stream | None = None) -> None:
        """Enqueue the same value for all bytes."""
        call = "cuMemsetD8Async"
        self._simulation.require_context(call)
        target = self._simulation.locate(_address(dest), size, call)
        value: Bytes = np.full(size, data, np.uint8)
        self._enqueue(Work(call, lambda: target.write(value), (), (target,)), stream)

    def _copy(self, call: str, target: Region, source: Region, stream: Stream | None) -> None:
        def copy() -> None:
            marks = source.marks()
            target.write(source.read())
            target.mark(marks)

        self._enqueue(Work(call, copy, (source,), (target,)), stream)

    def _enqueue(self, work: Work, stream: Stream | None) -> None:
        self._simulation.enqueue(_queue(self._simulation, stream, work.label).handle, work)


def driver_module(simulation: Simulation, facts: Facts) -> ModuleType:
    """A module that stands for pycuda.driver."""
    module = ModuleType("pycuda.driver", "A simulated pycuda.driver.")
    bound = {"simulation": simulation, "facts": facts}
    classes: dict[str, Any] = {
        kind.__name__: type(kind.__name__, (kind,), dict(bound))
        for kind in (Context, Device, Event, Stream, DeviceAllocation, PagelockedHostAllocation)
    }
    classes["Device"].context_class = classes["Context"]
    functions = Functions(simulation, facts, classes)
    names = [name for name in vars(Functions) if not name.startswith("_")]
    enums = {kind.__name__: kind for kind in (event_flags, device_attribute, host_alloc_flags, ctx_flags)}
    errors = {
        "Error": CudaError,
        "LogicError": CudaLogicError,
        "MemoryError": CudaMemoryError,
        "RuntimeError": CudaRuntimeError,
        "LaunchError": type("LaunchError", (CudaError,), {}),
    }
    vars(module).update({**{name: getattr(functions, name) for name in names}, **classes, **enums, **errors})
    vars(module)["HostAllocation"] = classes["PagelockedHostAllocation"]
    return module


def _queue(simulation: Simulation, stream: Stream | None, call: str) -> Queue:
    if stream is not None and not isinstance(stream, Stream):
        raise TypeError(f"{call}: {stream!r} is no Stream")
    return simulation.queue(0 if stream is None else stream.handle, call)


def _address(value: Any) -> int:
    """Of what pycuda converts to a device pointer: its own allocations and Python's integers, not numpy's."""
    if isinstance(value, DeviceAllocation) or type(value) is int:
        return int(value)
    raise TypeError(f"{value!r} is no device pointer: neither an int nor a DeviceAllocation")


def _buffer(value: Any, *, writable: bool = False) -> tuple[int, int]:
    """Address and size of a contiguous buffer."""
    view = memoryview(value)
    if not view.contiguous:
        raise BufferError("the buffer is not contiguous")
    if writable and view.readonly:
        raise BufferError("the buffer is not writable")
    if isinstance(value, np.ndarray):
        return value.ctypes.data, value.nbytes
    return np.frombuffer(view.cast("B"), np.uint8).ctypes.data, view.nbytes


def _quietly(allocation: DeviceAllocation | PagelockedHostAllocation) -> None:
    """Free what nobody holds any more. A destructor cannot raise; what is wrong is recorded by then."""
    with suppress(ContractViolation, CudaError):
        allocation.free()
