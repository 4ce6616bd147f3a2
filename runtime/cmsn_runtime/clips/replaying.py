"""Computes the event of a clip again, from its packets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av.error
from av.video.frame import VideoFrame

from cmsn_runtime.bundle import Bundle
from cmsn_runtime.clips.record import SIDECAR_SUFFIX, ClipRecord, read_record
from cmsn_runtime.clips.saving import CLIP_MARK
from cmsn_runtime.errors import SourceError
from cmsn_runtime.events import Event, Proposal, StreamEvent
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.upright import PictureMaker
from cmsn_runtime.site import SETTABLE
from cmsn_runtime.sources.container import open_container, video_stream


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip on disk, whose bytes are those that were recorded. path: of the video."""

    path: Path
    record: ClipRecord


def read_clip(path: Path) -> Clip:
    """A clip by the path of its video or its sidecar; both may have been renamed, if they are still called alike.

    Raises SourceError, also where the video was changed.
    """
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; give the clips in it, such as {path}/*{CLIP_MARK}.mp4")
    stem = path.name.rpartition(f"{CLIP_MARK}.")[0] or path.stem
    sidecar = path.with_name(f"{stem}{SIDECAR_SUFFIX}")
    if not sidecar.exists():
        raise SourceError(f"{path}: is not a saved clip, or lacks its sidecar, {sidecar.name}; keep both in one folder")
    record = read_record(sidecar)
    video = path.with_name(record.clip) if path.name == sidecar.name else path
    try:
        found = hashlib.sha256(video.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceError(f"{video}: cannot be read ({error.strerror}); keep a clip beside its sidecar") from error
    if found != record.clip_sha256:
        raise SourceError(f"{video}: was changed since it was saved (its SHA-256 is another); get the original")
    return Clip(video, record)


def settings_of(record: ClipRecord) -> dict[str, object]:
    """The settings that were in force, as `open_bundle` takes them."""
    setup = record.provenance.setup
    values = {"proposals": asdict(setup.proposals), "tracking": asdict(setup.tracking)}
    return {name: values[table][field] for name in SETTABLE for table, field in [name.split(".")]}


def replay(clip: Clip, bundle: Bundle) -> Proposal | None:
    """The recorded event's proposal, computed again; the nearest where none equals it, None where there is none.

    bundle: opened with `settings_of` the record. Raises SourceError where the clip cannot be decoded.
    """
    events = _events(clip, bundle)
    finals = [
        event.proposal for event in events if isinstance(event, Event) and event.kind == "final" and event.rank == 1
    ]
    wanted = clip.record.proposal
    return min(finals, key=lambda found: (_distance(found, wanted), abs(found.score - wanted.score)), default=None)


def clip_frames(clip: Clip) -> Iterator[Frame]:
    """Its frames with the times that they had for the model, those before the first segment and after the event too.

    The n-th packet of the file is the n-th of the sidecar, whatever times the file has. Raises SourceError.
    """
    times: dict[int, Fraction | None] = {}
    maker = PictureMaker()
    for count, decoded in _decoded(clip, times):
        if count > len(clip.record.frames):
            raise SourceError(f"{clip.path}: has more packets than its sidecar; get the original")
        seconds = None if decoded.pts is None else times.pop(decoded.pts, None)
        if seconds is not None:
            yield DecodedFrame(decoded, seconds, maker=maker)


def _decoded(clip: Clip, times: dict[int, Fraction | None]) -> Iterator[tuple[int, VideoFrame]]:
    """Frames, each with the number of packets so far, whose times go into `times` by their PTS."""
    count = 0
    recorded = iter(clip.record.frames)
    with closing(open_container(f"file:{clip.path}", name=str(clip.path))) as container:
        stream = video_stream(container, name=str(clip.path))
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                count += 1
                times[packet.pts] = next(recorded, None)
            try:
                frames = stream.decode(packet)
            except av.error.FFmpegError:  # a damaged packet, which was not decoded when it came either
                continue
            yield from ((count, frame) for frame in frames)


def _events(clip: Clip, bundle: Bundle) -> Iterator[StreamEvent]:
    record = clip.record
    provenance = record.provenance
    setup = provenance.setup
    with bundle.stream(chunk_frames=setup.chunk_frames, hop_steps=setup.hop_steps) as stream:
        if record.resume is not None:
            stream.resume(record.resume)
        for frame in clip_frames(clip):
            if provenance.origin <= frame.seconds <= provenance.newest:
                yield from stream.push(frame)
        yield from stream.settle() if provenance.how == "settled" else stream.flush()


def _distance(one: Proposal, other: Proposal) -> Fraction:
    return abs(one.start - other.start) + abs(one.end - other.end)
