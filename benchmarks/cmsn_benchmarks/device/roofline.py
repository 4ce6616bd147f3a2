"""How near each network comes to what the machine could do at best.

A limit is the time that a network's operations take at the ceiling of matrix products, or that its bytes take at the
ceiling of copies, whichever is longer; its share is that time over the measured one. A share may be above 1, and is not
cut off: a convolution may need fewer operations than are counted (Winograd's algorithm for 3 x 3 kernels takes 2.25
times fewer products), weights may stay in caches from hop to hop, and a ceiling is what a product reached in the same
minute, which other load may have slowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from cmsn_benchmarks.device.ceilings import COPIED_BYTES, CPU_SIDES, GPU_SIDES, measure_ceilings
from cmsn_benchmarks.device.costs import Cost, bundle_costs
from cmsn_benchmarks.device.figures import Bound, Ceilings, Latency, Limit, Roofline
from cmsn_benchmarks.device.libraries import libraries_of
from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.bundle_files import read_graph
from cmsn_runtime.errors import SettingsError

WHOLE = "whole"
_PARTS = {"extractor": "extract", "stages": "stages", "evaluator": "evaluate"}  # network -> its part of a hop


def measure_roofline(bundle: Bundle, parts: Mapping[str, Latency], *, proposals: int) -> Roofline:
    """The ceilings, measured now, and the shares of an opened bundle.

    parts: those of single-stream hops, see `parts.PARTS`. proposals: typical number of an evaluation. TensorRT's
    networks run one after the other without a wait between them, so that only their sum has a time.
    Raises MissingExtraError without onnx, and SettingsError where operations cannot be counted or compared.
    """
    seconds = {name: parts[part].p50 / 1e3 for name, part in _PARTS.items() if part in parts}
    if not seconds:
        raise SettingsError("no network was timed; a roofline needs the parts of single-stream hops; measure them too")
    arithmetic = cast(GraphBackend, bundle.backend).arithmetic
    costs = bundle_costs(bundle.manifest, partial(read_graph, bundle.path), arithmetic, proposals=max(1, proposals))
    ceilings = measure_ceilings(
        libraries_of(arithmetic),
        {precision for cost in costs.values() for precision in cost.operations},
        sides=CPU_SIDES if arithmetic.device == "cpu" else GPU_SIDES,
        nbytes=COPIED_BYTES,
        threads=arithmetic.threads,
    )
    return roofline(costs, ceilings, seconds, parted=arithmetic.library != "tensorrt")


def roofline(
    costs: Mapping[str, Cost], ceilings: Ceilings, seconds: Mapping[str, float], *, parted: bool = True
) -> Roofline:
    """Limits of the networks whose seconds per run are known, and of all of them together.

    The limit of the whole is the sum of theirs: they run one after the other. parted: whether each has a time of its
    own. Raises SettingsError for a precision without a ceiling.
    """
    limits = {name: limit(costs[name], ceilings, taken) for name, taken in seconds.items()}
    return Roofline(ceilings=ceilings, networks={**(limits if parted else {}), WHOLE: _together(limits)})


def limit(cost: Cost, ceilings: Ceilings, seconds: float) -> Limit:
    """One network, which takes so many seconds per run. Raises SettingsError for a precision without a ceiling."""
    missing = sorted(cost.operations.keys() - ceilings.products.keys())
    if missing:
        raise SettingsError(
            f"no library here multiplies matrices in {', '.join(missing)}; the ceilings are those of "
            f"{', '.join(ceilings.products) or 'none'}; leave the roofline out"
        )
    computing = sum(
        count / ceilings.products[precision].operations_per_second for precision, count in cost.operations.items()
    )
    moving = cost.nbytes / ceilings.bytes_per_second
    least = max(computing, moving)
    return Limit(
        operations=cost.operations,
        nbytes=cost.nbytes,
        seconds=seconds,
        least_seconds=least,
        share=least / seconds,
        bound="compute" if computing >= moving else "memory",
    )


def _together(limits: Mapping[str, Limit]) -> Limit:
    operations: dict[str, float] = {}
    bounds: dict[Bound, float] = {"compute": 0.0, "memory": 0.0}
    for each in limits.values():
        bounds[each.bound] += each.least_seconds
        for precision, count in each.operations.items():
            operations[precision] = operations.get(precision, 0.0) + count
    seconds = sum(each.seconds for each in limits.values())
    least = sum(bounds.values())
    return Limit(
        operations=operations,
        nbytes=sum(each.nbytes for each in limits.values()),
        seconds=seconds,
        least_seconds=least,
        share=least / seconds,
        bound=max(bounds, key=lambda bound: bounds[bound]),
    )
