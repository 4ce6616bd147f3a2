"""The two ceilings of a machine: matrix products, and copies of more memory than caches hold.

The best of several sizes and libraries counts, since it is a ceiling. It is what a program reached, not what a
processor's data sheet promises.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from cmsn_benchmarks.device.figures import Ceilings, ProductCeiling
from cmsn_benchmarks.device.libraries import Library, Repeatable

CPU_SIDES, GPU_SIDES = (256, 512, 1024), (4096, 8192)
COPIED_BYTES = 2**28  # on CPUs and GPUs alike: larger than the caches of either
_SECONDS = 0.15  # of each operation
_LEAST_BURSTS = 3
_BURST = 4  # operations without a wait between them
_SLOW = 0.25  # seconds per product, above which no larger one is tried


def measure_ceilings(
    libraries: Sequence[Library],
    precisions: Iterable[str],
    *,
    sides: Sequence[int],
    nbytes: int,
    seconds: float | None = None,
    threads: int | None = None,
) -> Ceilings:
    """Both, in some precisions; one that no library has is left out. threads: those of the libraries, for the report.

    sides: numbers of rows, the smallest first. seconds: of each measurement; None for a
    short one. Raises what a library raises.
    """
    seconds = _SECONDS if seconds is None else seconds
    products = {
        precision: max(found, key=lambda ceiling: ceiling.operations_per_second)
        for precision in sorted(set(precisions))
        if (found := _products(libraries, precision, sides, seconds))
    }
    with libraries[0].copy(nbytes) as copying:
        copied = 2 * nbytes / fastest(copying, seconds=seconds)  # read and written
    return Ceilings(products=products, bytes_per_second=copied, threads=threads)


def fastest(operation: Repeatable, *, seconds: float) -> float:
    """Seconds per run of the fastest burst, of as many as fit into the time."""
    operation.run()
    operation.wait()
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < _LEAST_BURSTS or time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(_BURST):
            operation.run()
        operation.wait()
        found.append((time.perf_counter() - begin) / _BURST)
    return min(found)


def _products(
    libraries: Sequence[Library], precision: str, sides: Sequence[int], seconds: float
) -> list[ProductCeiling]:
    found = []
    for library in libraries:
        for side in sides if precision in library.precisions else ():
            with library.product(precision, side) as product:
                taken = fastest(product, seconds=seconds)
            found.append(ProductCeiling(by=library.name, operations_per_second=2 * side**3 / taken, side=side))
            if taken > _SLOW:
                break
    return found
