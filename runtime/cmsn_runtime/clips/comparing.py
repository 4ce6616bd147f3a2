"""Compares a replay with what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.clips.record import ClipRecord
from cmsn_runtime.clips.replaying import Clip, replay, settings_of
from cmsn_runtime.clips.saving import versions
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BundleError
from cmsn_runtime.events import Proposal


@dataclass(frozen=True, slots=True)
class Comparison:
    """notes: what may be the reason of a difference, and what limits the meaning of none; a line each."""

    clip: Path
    id: str
    recorded: Proposal
    reproduced: Proposal | None
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether start, end and score are the same to the digit."""
        return self.recorded == self.reproduced

    def fields(self) -> dict[str, object]:
        """For JSON. Times in seconds; null where nothing was reproduced."""
        found = self.reproduced
        return {
            "clip": str(self.clip),
            "id": self.id,
            "equal": self.equal,
            "recorded": _fields(self.recorded),
            "reproduced": None if found is None else _fields(found),
            "notes": list(self.notes),
        }


class Comparer(Closing):
    """Replays clips with their own models, found by name, or with another. Clips of one model and settings share it.

    bundle: another model than the recorded one. backend: as in `open_bundle`.
    """

    def __init__(self, *, bundle: Path | None = None, backend: str = "auto") -> None:
        self._bundle = bundle
        self._backend = backend
        self._opened: Bundle | None = None
        self._key: object = None

    def compare(self, clip: Clip) -> Comparison:
        """Raises SourceError, BundleError, BackendError."""
        opened = self._open(clip.record)
        found = replay(clip, opened)
        return Comparison(
            clip.path, str(clip.record.event.get("id")), clip.record.proposal, found, tuple(_notes(clip, opened))
        )

    def close(self) -> None:
        """Release the model."""
        if self._opened is not None:
            self._opened.close()
        self._opened = self._key = None

    def _open(self, record: ClipRecord) -> Bundle:
        name, settings = self._bundle or record.provenance.setup.model, settings_of(record)
        if self._opened is None or self._key != (name, settings):
            self.close()
            try:
                self._opened = open_bundle(name, backend=self._backend, settings=settings)
            except BundleError as error:
                hint = "" if self._bundle else "; that model was recorded; --bundle gives its path"
                raise BundleError(f"{error}{hint}") from error
            self._key = name, settings
        return self._opened


def _notes(clip: Clip, bundle: Bundle) -> Iterator[str]:
    record, setup = clip.record, clip.record.provenance.setup
    if bundle.sha256 != setup.model_sha256:
        yield f"another model: {bundle.sha256[:12]}... instead of {setup.model_sha256[:12]}...; this only informs"
    if bundle.backend.name != setup.backend:
        yield f"another backend: {bundle.backend.name} instead of {setup.backend}; digits of scores may differ"
    if not record.exact:
        yield f"not exact: {record.why_not}"
    now = versions()
    for name in sorted(record.versions.keys() & now.keys()):
        if record.versions[name] != now[name]:
            yield f"another version of {name}: {now[name]} instead of {record.versions[name]}"


def _fields(proposal: Proposal) -> dict[str, object]:
    exact = {f"exact_{name}": str(getattr(proposal, name)) for name in ("start", "end")}
    return {"start": float(proposal.start), "end": float(proposal.end), "score": proposal.score, **exact}
