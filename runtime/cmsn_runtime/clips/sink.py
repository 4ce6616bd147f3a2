"""The output `clips`: a video of each final proposal, which can be replayed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from cmsn_runtime.bounded_folder import BoundedFolder
from cmsn_runtime.checking import require
from cmsn_runtime.clips.cutting import cut_clip
from cmsn_runtime.clips.record import SIDECAR_SUFFIX
from cmsn_runtime.clips.ring import PacketRing
from cmsn_runtime.clips.saving import CLIP_SUFFIXES, save_clip
from cmsn_runtime.errors import OutputError
from cmsn_runtime.events import Event, StreamEvent
from cmsn_runtime.provenance import Provenance
from cmsn_runtime.reporting import report
from cmsn_runtime.sinks.base import Ending, OpenSources, Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind
from cmsn_runtime.structuring import structure
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from cmsn_runtime.capture.items import CapturedPacket

_MOST_SEEN = 2**16  # frames
_SIDECAR_BYTES = 2**17  # at most, roughly


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """Where clips go, and what may be kept.

    folder: a relative one begins in the site's state folder. max_bytes: of all clips; the oldest go first.
    ring_seconds, ring_bytes: of packets in memory, per camera. A replay is exact where they hold the window and the
        receptive field before it (35 s with the bundles that come with cmsn) and what was found after the action.
    before_seconds: to be seen before the proposal's start, at least. min_score: below it, no clip is saved.
    """

    folder: str
    max_bytes: int = 10 * 2**30
    ring_seconds: float = 90.0
    ring_bytes: int = 64 * 2**20
    before_seconds: float = 5.0
    min_score: float = 0.0

    def __post_init__(self) -> None:
        require(bool(self.folder), "folder", self.folder, "the path of a folder")
        require(self.max_bytes >= 1, "max_bytes", self.max_bytes, "at least 1")
        require(self.ring_seconds > 0, "ring_seconds", self.ring_seconds, "above 0")
        require(self.ring_bytes >= 1, "ring_bytes", self.ring_bytes, "at least 1")
        require(self.before_seconds >= 0, "before_seconds", self.before_seconds, "at least 0")
        require(0 <= self.min_score <= 1, "min_score", self.min_score, "from 0 to 1")


class ClipSink(Sink):
    """Saves the packets around each final of rank 1, without encoding, beside a sidecar (see record.ClipRecord).

    A clip that cannot be saved is reported and counted, and does not close this output: a disk has room again some day.

    counts: clips `saved`, and of these `inexact` ones, whose replay is not; those that could not be: `failed` to be
        written, `missing` (no packets of it came), `oversized` (larger than the folder's limit).
    """

    def __init__(self, settings: ClipSettings, folder: Path, *, site: str) -> None:
        self.wants_packets = True
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._site = site
        self._folder = BoundedFolder(folder, max_bytes=settings.max_bytes, marks=(*CLIP_SUFFIXES, SIDECAR_SUFFIX))
        self._open: OpenSources[_Camera] = OpenSources()
        self._trouble = ""

    @property
    def name(self) -> str:
        return str(self._folder.path)

    @property
    def folder(self) -> Path:
        """Where the clips are."""
        return self._folder.path

    @property
    def removed(self) -> int:
        """Clips that went because the folder had reached its limit."""
        return self._folder.removed

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Begin a ring."""
        self._open.begin(source, lambda: _Camera(self._settings))

    def packet(self, source: str, packet: CapturedPacket) -> None:
        """Keep a packet for a while."""
        self._open[source].ring.add(packet)

    def advance(self, source: str, seconds: Fraction) -> None:
        """Note that the model saw this frame."""
        self._open[source].see(seconds)

    def event(self, source: str, event: StreamEvent) -> None:
        """Save the clip of a final."""
        if not isinstance(event, Event) or event.rank != 1:
            return
        first = self._open[source].first_of(event)
        if event.kind == "final" and event.proposal.score >= self._settings.min_score:
            self._save(source, event, first)

    def end(self, source: str, ending: Ending) -> None:
        """Drop the ring."""
        self._open.end(source)

    def _save(self, source: str, event: Event, first: Provenance | None) -> None:
        before = Fraction(self._settings.before_seconds)
        camera = self._open[source]
        cut = cut_clip(camera.ring, event, camera.seen_by(event), first=first, before=before)
        if cut is None:
            advice = "clips are of live cameras that FFmpeg opens, and of --live FILE"
            self._complain("missing", f"{source}: no packets of it came; {advice}")
            return
        try:
            if not self._folder.make_room(sum(len(packet.data) for packet in cut.packets) + _SIDECAR_BYTES):
                self._complain("oversized", f"{source}: a clip is larger than max_bytes, {self._settings.max_bytes}")
                return
            self._folder.add(*save_clip(self._folder.path, cut, event, site=self._site, camera=source))
        except (OutputError, OSError) as error:
            self._complain("failed", f"{source}: {error}")
            return
        self._trouble = ""
        self.counts["saved"] += 1
        self.counts["inexact"] += bool(cut.why_not)

    def _complain(self, kind: str, reason: str) -> None:
        """Count a clip that was not saved; report the first of several in a row for the same cause."""
        self.counts[kind] += 1
        if kind != self._trouble:
            self._trouble = kind
            report(f"{printable(self.name)}: a clip was not saved: {reason}", kind="warning")


class _Camera:
    """The ring of one camera, the frames that the model saw, and the first reports on its open actions."""

    def __init__(self, settings: ClipSettings) -> None:
        self.ring = PacketRing(max_bytes=settings.ring_bytes, max_seconds=Fraction(settings.ring_seconds))
        self._first: dict[int, Provenance] = {}
        self._seen: deque[Fraction] = deque(maxlen=_MOST_SEEN)

    def see(self, seconds: Fraction) -> None:
        """A frame was processed, and what it led to reported."""
        self._seen.append(seconds)
        begin = self.ring.begin
        while begin is not None and self._seen and self._seen[0] < begin:
            self._seen.popleft()

    def seen_by(self, event: Event) -> Collection[Fraction]:
        """Times of the frames that were processed, that of the event included, which is under way."""
        newest = () if event.provenance is None else (event.provenance.newest,)
        return {*self._seen, *newest}

    def first_of(self, event: Event) -> Provenance | None:
        """That of the action; forgotten with its last report."""
        if event.kind in ("final", "withdrawn"):
            return self._first.pop(event.action, None)
        if event.provenance is not None:
            self._first.setdefault(event.action, event.provenance)
        return None


def _structured(table: Mapping[str, object], context: SinkContext) -> ClipSettings:
    return structure(table, ClipSettings, private=True)


def _from_table(table: Mapping[str, object], context: SinkContext) -> ClipSink:
    settings = _structured(table, context)
    return ClipSink(settings, context.folder / Path(settings.folder).expanduser(), site=context.site)


def _open(value: str, context: SinkContext) -> ClipSink:
    return ClipSink(ClipSettings(folder=value), Path(value), site=context.site)


CLIPS = SinkKind(open=_open, open_table=_from_table, check_table=_structured)
