"""Saves one event's clip and its sidecar."""

from __future__ import annotations

import hashlib
from pathlib import Path

import av

from cmsn_runtime.clips.cutting import Cut
from cmsn_runtime.clips.record import FORMAT, SIDECAR_SUFFIX, ClipRecord, record_bytes
from cmsn_runtime.clips.remuxing import container_of, write_packets
from cmsn_runtime.events import Event
from cmsn_runtime.files import replacing, write_whole
from cmsn_runtime.secrets import scrubbed
from cmsn_runtime.sinks.fields import event_fields
from cmsn_runtime.text import file_name

CLIP_MARK = ".clip"
CLIP_SUFFIXES = (f"{CLIP_MARK}.mp4", f"{CLIP_MARK}.mkv")


def clip_stem(event_id: str) -> str:
    """What the files of an event's clip are called, without `.clip.mp4` and `.clip.json`: valid, without secrets."""
    return file_name(scrubbed(event_id.replace("/", "_")), most_bytes=200)


def save_clip(folder: Path, cut: Cut, event: Event, *, site: str, camera: str) -> tuple[Path, Path]:
    """Write both files atomically, the sidecar last -> their paths. Raises OutputError, and then leaves neither."""
    assert event.provenance is not None
    stamp = event.stamp
    stem = clip_stem(stamp.id if stamp else f"{site}/{camera}/{event.segment}/{event.action}/{event.rank}")
    format, suffix = container_of(cut.packets[0].codec.name)
    clip, sidecar = folder / f"{stem}{CLIP_MARK}{suffix}", folder / f"{stem}{SIDECAR_SUFFIX}"
    with replacing(clip) as unfinished:
        write_packets(unfinished, cut.packets, format=format)
    record = ClipRecord(
        format=FORMAT,
        clip=clip.name,
        clip_sha256=hashlib.sha256(clip.read_bytes()).hexdigest(),
        site=site,
        camera=camera,
        event=event_fields(camera, event),
        proposal=event.proposal,
        clock=stamp.clock if stamp else None,
        exact=not cut.why_not,
        why_not=cut.why_not,
        provenance=event.provenance,
        resume=cut.plan.resume,
        phase=cut.phase,
        frames=cut.frames,
        versions=versions(),
    )
    try:
        write_whole(sidecar, record_bytes(record))
    except BaseException:
        clip.unlink(missing_ok=True)
        raise
    return clip, sidecar


def versions() -> dict[str, str]:
    """What decodes and computes: of cmsn, PyAV, and its FFmpeg."""
    from importlib.metadata import version

    decoder = ".".join(map(str, av.library_versions["libavcodec"]))
    return {"cmsn": version("cmsn"), "PyAV": av.__version__, "libavcodec": decoder}
