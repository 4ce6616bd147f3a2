"""Format 1 of a manifest, which bundles had before variants: read, checked and converted, never written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cmsn_runtime.checking import require
from cmsn_runtime.manifest.contents import (
    FULL_PRECISION,
    GRAPH_NAMES,
    FeatureInput,
    GraphFile,
    Manifest,
    NetworkFacts,
    Parity,
    StateShape,
    Variant,
)
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking.tracker import TrackerSettings


@dataclass(frozen=True, slots=True)
class GraphFile1:
    """See GraphFile; a graph had the precision of the list it was in."""

    file: str
    bytes: int
    sha256: str

    def typed(self, precision: str) -> GraphFile:
        """The same file with its precision. Raises SettingsError as GraphFile does."""
        return GraphFile(self.file, self.bytes, self.sha256, precision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format1:
    """The fields of format 1 where they differ from Manifest's.

    graphs, parity: in FP32; parity holds an error for each graph, and `tolerance`.
    half_graphs, half_parity: those of the graphs that gain from FP16; empty where none exist.
    licence, notes: never used.
    """

    name: str
    created: str
    network: NetworkFacts
    grid: TimeGrid
    preprocessing: Preprocessing | None
    proposals: ProposalSettings
    tracking: TrackerSettings
    graphs: dict[str, GraphFile1]
    states: tuple[StateShape, ...]
    parity: dict[str, float]
    training: dict[str, Any]
    licence: str | None = None
    notes: str | None = None
    features: FeatureInput | None = None
    half_graphs: dict[str, GraphFile1] = field(default_factory=dict)
    half_parity: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(set(self.graphs) == set(GRAPH_NAMES), "graphs", sorted(self.graphs), ", ".join(GRAPH_NAMES))
        halves = set(self.half_graphs)
        require(halves <= set(GRAPH_NAMES), "half_graphs", sorted(halves), "some of " + ", ".join(GRAPH_NAMES))
        _require_measured("parity", self.parity, set(GRAPH_NAMES))
        _require_measured("half_parity", self.half_parity, halves)

    def converted(self) -> Manifest:
        """The manifest in the current format. Raises SettingsError where the conversion is impossible."""
        full = Variant(
            graphs={name: file.typed(FULL_PRECISION) for name, file in self.graphs.items()},
            parity=_parity(self.parity),
            state_dtypes={state.name: "float32" for state in self.states},
        )
        variants = {FULL_PRECISION: full}
        if self.half_graphs:
            variants["fp16"] = self._half(full)
        return Manifest(
            name=self.name,
            created=self.created,
            network=self.network,
            grid=self.grid,
            preprocessing=self.preprocessing,
            features=self.features,
            proposals=self.proposals,
            tracking=self.tracking,
            states=self.states,
            variants=variants,
            training=self.training,
        )

    def _half(self, full: Variant) -> Variant:
        """The FP16 variant, where any graph is in FP16; the states have the extractor's type."""
        errors = {**self.parity, **self.half_parity}
        return replace(
            full,
            graphs={**full.graphs, **{name: file.typed("fp16") for name, file in self.half_graphs.items()}},
            parity=_parity(errors),
            state_dtypes={
                state.name: "float16" if "extractor" in self.half_graphs else "float32" for state in self.states
            },
        )


def _parity(errors: dict[str, float]) -> Parity:
    return Parity({name: errors[name] for name in GRAPH_NAMES}, errors["tolerance"])


def _require_measured(field: str, parity: dict[str, float], graphs: set[str]) -> None:
    """Require one error per graph and the tolerance; nothing without graphs. Parity checks the values."""
    measured = {*graphs, "tolerance"} if graphs else set()
    require(set(parity) == measured, field, sorted(parity), ", ".join(sorted(measured)) or "empty")
