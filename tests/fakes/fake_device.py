"""A simulated GPU: every access to memory is checked, streams do their work late, captured work waits for a launch."""

from __future__ import annotations

import builtins
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

POISON = 0xCB  # what new memory holds
FREED = 0xDD  # what page-locked memory holds once it is given back
ALIGNMENT = 512  # of device memory
CAPTURE_GLOBAL, CAPTURE_THREAD_LOCAL, CAPTURE_RELAXED = range(3)
_PAGE = 4096
_FIRST_ADDRESS = 0x7_0000_0000
_GUARD = 1 << 16  # bytes between two allocations, so that no access strays from one into the next
_GRAVES = 256  # freed page-locked buffers that are still watched


class ContractViolation(AssertionError):  # noqa: N818 - that is what it is
    """What real hardware would not forgive: memory corrupted, a process that dies, results that are luck."""


class CudaError(Exception):
    """pycuda's Error, of which all its others are."""


class CudaMemoryError(CudaError, builtins.MemoryError):
    """pycuda's MemoryError: the device has no memory left."""


class CudaLogicError(CudaError):
    """pycuda's LogicError: the call was wrong."""


class CudaRuntimeError(CudaError):
    """pycuda's RuntimeError: no device, not ready and their like."""


class Context(Protocol):
    """What the simulation knows of a pycuda context. thread: that made it."""

    valid: bool
    thread: int


@dataclass(eq=False, slots=True)
class Block:
    """One allocation. base: its address. initialised: which bytes were ever written; of device memory only."""

    base: int
    nbytes: int
    content: Bytes
    pinned: bool
    mapped: bool = False
    freed: bool = False
    initialised: npt.NDArray[np.bool_] | None = None

    def __str__(self) -> str:
        return f"{'page-locked' if self.pinned else 'device'} memory of {self.nbytes} bytes at {self.base:#x}"


@dataclass(frozen=True, slots=True)
class Region:
    """Some bytes of an allocation."""

    block: Block
    begin: int
    nbytes: int

    def read(self) -> Bytes:
        """A copy of them."""
        return self.block.content[self.begin : self.begin + self.nbytes].copy()

    def write(self, content: Bytes) -> None:
        """Replace them, which initialises them."""
        self.block.content[self.begin : self.begin + self.nbytes] = content
        self.mark(np.ones(self.nbytes, bool))

    def marks(self) -> npt.NDArray[np.bool_]:
        """Which of them were ever written; nothing is known of host memory, so all."""
        known = self.block.initialised
        return np.ones(self.nbytes, bool) if known is None else known[self.begin : self.begin + self.nbytes].copy()

    def mark(self, marks: npt.NDArray[np.bool_]) -> None:
        """Say which of them were written."""
        if self.block.initialised is not None:
            self.block.initialised[self.begin : self.begin + self.nbytes] = marks

    def overlaps(self, other: Region) -> bool:
        """Whether the two share a byte."""
        return (
            self.block is other.block
            and self.begin < other.begin + other.nbytes
            and other.begin < self.begin + self.nbytes
        )


@dataclass(eq=False, slots=True)
class Life:
    """Whether something that queued work needs, such as an execution context, still exists; how often it changed."""

    name: str
    ended: bool = False
    changes: int = 0


def _nothing_wrong() -> str | None:
    return None


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """One piece of work for a stream. relaunched: says what forbids to launch it again as part of a graph, if so."""

    label: str
    action: Callable[[], None]
    reads: tuple[Region, ...]
    writes: tuple[Region, ...]
    owner: Life | None = None
    relaunched: Callable[[], str | None] = _nothing_wrong


@dataclass(eq=False, slots=True)
class Mark:
    """Where on a queue an event was recorded. captured: on a stream under capture, where nobody may wait for it."""

    queue: Queue
    done: bool = False
    captured: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """What a queue holds: work, with the host memory it will read as it was; or a mark."""

    work: Work | None = None
    seen: tuple[tuple[Region, Bytes], ...] = ()
    mark: Mark | None = None


@dataclass(eq=False, slots=True)
class Capture:
    """Work that is recorded, not done. thread: that began it."""

    mode: int
    thread: int
    work: list[Work] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Queue:
    """A stream."""

    handle: int
    entries: list[Entry] = field(default_factory=list)
    capture: Capture | None = None


@dataclass(eq=False, slots=True)
class Graph:
    """Captured work; `alive` until destroyed, which is so of a graph and of what is instantiated from it."""

    handle: int
    work: tuple[Work, ...]
    alive: bool = True


class Simulation:
    """The state of a driver and its device. What breaks the contract is in `violations`, and raised where it can be."""

    def __init__(self, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.violations: list[str] = []
        self.references: dict[int, int] = {}  # device -> how often its primary context is retained
        self.blocks: dict[int, Block] = {}
        self.queues: dict[int, Queue] = {}
        self.graphs: list[Graph] = []
        self.events = 0
        self.work_done = 0
        self.lock = threading.RLock()
        self._here = threading.local()
        self._stacks: list[tuple[str, list[Context]]] = []
        self._graves: list[Block] = []
        self._freed: list[Block] = []
        self._next_address = _FIRST_ADDRESS
        self._next_handle = 0x1000

    def violation(self, message: str) -> ContractViolation:
        """Record a violation; raise what this returns, where a destructor does not forbid it."""
        self.violations.append(message)
        return ContractViolation(message)

    def handle(self) -> int:
        """A new number that is nobody else's."""
        with self.lock:
            self._next_handle += 0x10
            return self._next_handle

    # Contexts

    def stack(self) -> list[Context]:
        """Contexts that were pushed in this thread and not popped yet."""
        stack: list[Context] | None = getattr(self._here, "stack", None)
        if stack is None:
            stack = self._here.stack = []
            with self.lock:
                self._stacks.append((threading.current_thread().name, stack))
        return stack

    def current(self) -> Context | None:
        """This thread's context."""
        stack = self.stack()
        return stack[-1] if stack and stack[-1].valid else None

    def require_context(self, call: str) -> Context:
        """This thread's context; without one the call is wrong."""
        context = self.current()
        if context is None:
            message = f"{call} failed: no context is current in thread {threading.current_thread().name}"
            self.violations.append(message)
            raise CudaLogicError(message)
        return context

    def may_clean_up(self, made_in: Context, what: str) -> bool:
        """Whether pycuda can destroy something here; False where its context is gone, and all in it with it."""
        if not made_in.valid:
            return False
        if self.current() is made_in or made_in.thread == threading.get_ident():
            return True
        self.violations.append(
            f"{what} is lost for ever: it was let go in thread {threading.current_thread().name} without its context, "
            "where pycuda does nothing and says nothing"
        )
        return False

    def left_pushed(self) -> list[str]:
        """Threads whose stack of contexts is not empty."""
        return [name for name, stack in self._stacks if stack]

    # Memory

    @property
    def allocated_bytes(self) -> int:
        """Of device memory in use."""
        return sum(block.nbytes for block in self.blocks.values() if not block.pinned)

    @property
    def pinned_bytes(self) -> int:
        """Of page-locked memory in use."""
        return sum(block.nbytes for block in self.blocks.values() if block.pinned)

    def allocate(self, nbytes: int) -> Block | None:
        """New device memory, poisoned; None where there is not enough."""
        with self.lock:
            used = sum(_rounded(block.nbytes) for block in self.blocks.values() if not block.pinned)
            if used + _rounded(nbytes) > self.memory_bytes:
                return None
            block = Block(self._next_address, nbytes, np.full(nbytes, POISON, np.uint8), pinned=False)
            block.initialised = np.zeros(nbytes, bool)
            self._next_address += _rounded(nbytes) + _GUARD
            self.blocks[block.base] = block
            return block

    def allocate_pinned(self, nbytes: int, *, mapped: bool) -> Block:
        """New page-locked memory, poisoned; its address is that of the host."""
        store = np.empty(nbytes + _PAGE, np.uint8)
        begin = -store.ctypes.data % _PAGE
        content = store[begin : begin + nbytes]
        content[:] = POISON
        with self.lock:
            block = Block(content.ctypes.data, nbytes, content, pinned=True, mapped=mapped)
            self.blocks[block.base] = block
            return block

    def free(self, block: Block) -> None:
        """Give device memory back; a real driver waits for all work first, and so does this."""
        with self.lock:
            try:
                self.drain_all()
            finally:
                self._forget(block)
                block.content, block.initialised = block.content[:0].copy(), None

    def free_pinned(self, block: Block) -> ContractViolation | None:
        """Give page-locked memory back. Returns what is wrong with that, to be raised where it can be."""
        with self.lock:
            users = [work.label for work in self.queued_work() if block in _blocks(work)]
            self._forget(block)
            block.content[:] = FREED
            self._graves = [*self._graves[-_GRAVES:], block]
            return self.violation(f"{block} was freed while {users[0]} was queued") if users else None

    def locate(self, address: int, nbytes: int, use: str) -> Region:
        """The memory that the device reaches there. It must be alive and in one allocation."""
        with self.lock:
            for block in self.blocks.values():
                if block.base <= address <= block.base + block.nbytes and (nbytes == 0 or address < _end(block)):
                    return self._inside(block, address, nbytes, use)
            for block in reversed(self._freed):
                if block.base <= address < _end(block):
                    raise self.violation(f"{use}: {block} was freed")
            raise self.violation(f"{use}: {address:#x} is no address on the device")

    def locate_host(self, address: int, nbytes: int, use: str) -> Region:
        """The page-locked memory at an address of the host."""
        with self.lock:
            for block in (*self.blocks.values(), *self._graves):
                if block.pinned and block.base <= address and address + nbytes <= _end(block):
                    if block.freed:
                        raise self.violation(f"{use}: {block} was freed")
                    return Region(block, address - block.base, nbytes)
            raise self.violation(f"{use}: the host's memory is pageable; asynchronous copies need page-locked memory")

    def damaged_graves(self) -> list[str]:
        """Page-locked memory that was written after it was freed."""
        return [f"{block} was written after it was freed" for block in self._graves if (block.content != FREED).any()]

    def _inside(self, block: Block, address: int, nbytes: int, use: str) -> Region:
        if address + nbytes > _end(block):
            raise self.violation(f"{use}: {nbytes} bytes at {address:#x} reach beyond {block}")
        if block.pinned and not block.mapped:
            raise self.violation(f"{use}: {block} is not mapped to the device")
        return Region(block, address - block.base, nbytes)

    def _forget(self, block: Block) -> None:
        block.freed = True
        self.blocks.pop(block.base, None)
        self._freed.append(block)

    # Streams

    def queue(self, handle: int, call: str) -> Queue:
        """The stream of a handle."""
        if handle == 0:
            raise self.violation(f"{call} on the default stream, which waits for all others; use a stream of your own")
        queue = self.queues.get(handle)
        if queue is None:
            raise self.violation(f"{call}: {handle:#x} is no stream")
        return queue

    def new_queue(self) -> Queue:
        """A new stream."""
        queue = Queue(self.handle())
        with self.lock:
            self.queues[queue.handle] = queue
        return queue

    def close_queue(self, queue: Queue) -> None:
        """Destroy a stream; what it still has to do is done."""
        with self.lock:
            if queue.capture is not None:
                self.violations.append("a stream was destroyed while it was under capture")
            try:
                self.drain(queue)
            finally:
                self.queues.pop(queue.handle, None)

    def enqueue(self, handle: int, work: Work) -> None:
        """Put work on a stream, or into what it captures."""
        with self.lock:
            queue = self.queue(handle, work.label)
            if queue.capture is not None:
                queue.capture.work.append(work)
                return
            queue.entries.append(Entry(work, tuple(self._stable_host_memory(work))))

    def record(self, queue: Queue) -> Mark:
        """Mark where the stream is now."""
        with self.lock:
            mark = Mark(queue, captured=queue.capture is not None)
            if not mark.captured:
                queue.entries.append(Entry(mark=mark))
            return mark

    def drain(self, queue: Queue, until: Mark | None = None) -> None:
        """Do what the stream has to do, in order; all of it, or as far as a mark."""
        with self.lock, _no_collection():
            while queue.entries and not (until is not None and until.done):
                self._do(queue.entries.pop(0))

    def drain_all(self) -> None:
        """Do everything that any stream has to do."""
        for queue in list(self.queues.values()):
            self.drain(queue)

    def queued_work(self) -> Iterator[Work]:
        """All work that is queued on any stream."""
        for queue in self.queues.values():
            yield from (entry.work for entry in queue.entries if entry.work is not None)

    def has_work_of(self, owner: Life, *, elsewhere: int = 0) -> bool:
        """Whether something's work is queued, on another stream than `elsewhere` where that is given."""
        return any(
            entry.work is not None and entry.work.owner is owner
            for queue in self.queues.values()
            if queue.handle != elsewhere
            for entry in queue.entries
        )

    def _do(self, entry: Entry) -> None:
        if entry.mark is not None:
            entry.mark.done = True
        if entry.work is None:
            return
        self._check_alive(entry.work, "ran")
        for region, before in entry.seen:
            if not np.array_equal(before, region.read()):
                raise self.violation(f"{region.block} was overwritten by the host while {entry.work.label} was queued")
        entry.work.action()
        self.work_done += 1

    def _check_alive(self, work: Work, how: str) -> None:
        for block in _blocks(work):
            if block.freed:
                raise self.violation(f"{work.label} {how} after {block} was freed")
        if work.owner is not None and work.owner.ended:
            raise self.violation(f"{work.label} {how} after {work.owner.name} was destroyed")

    def _stable_host_memory(self, work: Work) -> Iterator[tuple[Region, Bytes]]:
        """Host memory that this work reads and that only the host could change before it does."""
        for region in work.reads:
            if region.block.pinned:
                writers = (other for queued in self.queued_work() for other in queued.writes)
                if not any(region.overlaps(other) for other in writers):
                    yield region, region.read()

    # Captures and graphs

    def forbid_while_capturing(self, call: str) -> None:
        """Calls that a capture in progress does not survive."""
        here = threading.get_ident()
        with self.lock:
            for queue in self.queues.values():
                capture = queue.capture
                if capture is not None and (
                    capture.mode == CAPTURE_GLOBAL or (capture.mode == CAPTURE_THREAD_LOCAL and capture.thread == here)
                ):
                    raise self.violation(f"{call} while a stream is under capture")

    def forbid_on_captured(self, queue: Queue, call: str) -> None:
        """Calls that a stream under capture does not allow."""
        if queue.capture is not None:
            raise self.violation(f"{call} on a stream that is under capture")

    def begin_capture(self, queue: Queue, mode: int) -> None:
        """Record what is put on the stream from now on."""
        with self.lock:
            if queue.capture is not None:
                raise self.violation("cuStreamBeginCapture on a stream that is under capture already")
            queue.capture = Capture(mode, threading.get_ident())

    def end_capture(self, queue: Queue) -> tuple[Work, ...]:
        """What was recorded."""
        with self.lock:
            capture, queue.capture = queue.capture, None
            if capture is None:
                raise self.violation("cuStreamEndCapture on a stream that is not under capture")
            if capture.mode != CAPTURE_RELAXED and capture.thread != threading.get_ident():
                raise self.violation("cuStreamEndCapture in another thread than cuStreamBeginCapture")
            return tuple(capture.work)

    def new_graph(self, work: tuple[Work, ...]) -> Graph:
        """A graph of some work."""
        graph = Graph(self.handle(), work)
        self.graphs.append(graph)
        return graph

    def launch(self, graph: Graph, queue: Queue) -> None:
        """Put the work of a graph on a stream, as it was captured."""
        with self.lock:
            self.forbid_on_captured(queue, "cuGraphLaunch")
            for work in graph.work:
                self._check_alive(work, "was launched")
                if (wrong := work.relaunched()) is not None:
                    raise self.violation(f"{work.label} was launched, but {wrong}")
                self.enqueue(queue.handle, work)


def _blocks(work: Work) -> list[Block]:
    return [region.block for region in (*work.reads, *work.writes)]


def _end(block: Block) -> int:
    return block.base + block.nbytes


def _rounded(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection: a destructor in the midst of a stream's work would let more of it run."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
