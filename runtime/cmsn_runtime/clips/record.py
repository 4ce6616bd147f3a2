"""The sidecar of a clip: the event that it shows, and everything that its replay needs beside the pictures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from cmsn_runtime.checking import require
from cmsn_runtime.errors import AnnotationError, SettingsError, SourceError
from cmsn_runtime.events import Proposal, WallClock
from cmsn_runtime.json_files import read_json
from cmsn_runtime.provenance import Provenance, ResumePoint
from cmsn_runtime.structuring import structure

SIDECAR_SUFFIX = ".clip.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRecord:
    """Contents of a sidecar. Fractions are written "n/d": no rounding, of a container or of floats, can matter.

    clip: name of the video beside it. clip_sha256: of its bytes. site, camera: names.
    event: as every output for programs has it (see sinks.fields). proposal: start, end and score, exact.
    clock: time of day of the camera's clock; None where unknown.
    exact: whether the replay computes the event to the digit. why_not: where it does not, the reason.
    provenance: of the event. resume: where the replay continues the segment; None: it begins where the segment did.
    phase: seconds from the first frame of the clip to the first frame of a feature step.
    frames: seconds of each packet's frame on the camera's clock, in the order of the packets; None where the frame had
    no time, and was not seen by the model.
    versions: of cmsn, PyAV and its FFmpeg.
    """

    format: int
    clip: str
    clip_sha256: str
    site: str
    camera: str
    event: dict[str, Any]
    proposal: Proposal
    clock: WallClock | None
    exact: bool
    why_not: str
    provenance: Provenance
    resume: ResumePoint | None
    phase: Fraction
    frames: tuple[Fraction | None, ...]
    versions: dict[str, str]

    def __post_init__(self) -> None:
        require(self.format == FORMAT, "format", self.format, f"{FORMAT}, which this version reads")
        require(Path(self.clip).name == self.clip, "clip", self.clip, "the plain name of a file in the same folder")


def record_bytes(record: ClipRecord) -> bytes:
    """The sidecar's content: JSON, in lines that people can read, with the times of the frames in one."""
    content = asdict(record)
    frames = json.dumps(content.pop("frames"), default=str)
    text = json.dumps(content, indent=2, default=str, ensure_ascii=False)
    return f'{text.removesuffix("}").rstrip()},\n  "frames": {frames}\n}}\n'.encode()


def read_record(path: Path) -> ClipRecord:
    """Read a sidecar. Raises SourceError."""
    try:
        return structure(read_json(path).content, ClipRecord)
    except (AnnotationError, SettingsError) as error:
        raise SourceError(
            f"{path}: is not the sidecar of a clip ({error}); give the clip that it lies beside"
        ) from error
