"""Settings of live cameras and of the scheduler that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.checking import require
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.pipelines import is_pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """One camera. name: in events, outputs and on the page; unique. address: its URL, device or `gst:` pipeline.

    paced: the address is a file, which is played at its own speed and has an end. streaming: settings of its stream
    that differ from the site's, by dotted name, such as {"tracking.provisional_score": 0.3}.
    """

    name: str
    address: Secret
    options: SourceOptions = field(default_factory=SourceOptions)
    capture: CaptureSettings = field(default_factory=CaptureSettings)
    streaming: Mapping[str, object] = field(default_factory=dict)
    paced: bool = False

    def __post_init__(self) -> None:
        unused = self.options.fps is not None or self.options.video_stream is not None
        if unused and is_pipeline(self.address.reveal()):
            raise SettingsError(
                "fps and video_stream are for what FFmpeg opens; a GStreamer pipeline chooses by its own elements"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """What all cameras share.

    lag_seconds: limit of the time that a frame may wait; beyond it the camera that lags most is cut: what waits is left
        out, its actions are settled, and it begins a new segment.
    batch_seconds: how long an ask may wait for those of other cameras, where the backend takes batches.
    hop_steps, chunk_frames: as in Bundle.stream.
    """

    lag_seconds: float = 2.0
    batch_seconds: float = 0.005
    hop_steps: int = 1
    chunk_frames: int | None = None

    def __post_init__(self) -> None:
        require(self.lag_seconds > 0, "lag_seconds", self.lag_seconds, "above 0")
        require(
            0 <= self.batch_seconds < self.lag_seconds, "batch_seconds", self.batch_seconds, "from 0 to lag_seconds"
        )
        require(self.hop_steps >= 1, "hop_steps", self.hop_steps, "at least 1")
