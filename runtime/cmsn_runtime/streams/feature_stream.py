"""One stream of feature rows: rows in, events out, as Stream does with pictures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.streams.current_segment import TimedSettings
from cmsn_runtime.streams.resampling import Resampler
from cmsn_runtime.streams.segment import StepCallback
from cmsn_runtime.streams.timed import Prepared, TimedStream


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRow:
    """The output of another network, or of a sensor, for one moment: two-stream scores, joints of a skeleton.

    values: float32 [width]. seconds: when the moment begins, exact. discontinuity, duration: as in Frame.
    """

    values: npt.NDArray[np.float32]
    seconds: Fraction
    discontinuity: bool = False
    duration: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStreamSettings(TimedSettings):
    """Settings of a stream of rows. width: values per row. max_gap: seconds between two rows; a window by default."""

    width: int
    max_gap: Fraction | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _CopiedRow:
    """A copied row, as the Prepared protocol."""

    row: npt.NDArray[np.float32]
    seconds: Fraction
    discontinuity: bool
    duration: Fraction | None

    def values(self) -> npt.NDArray[np.float32]:
        return self.row


class FeatureStream(TimedStream[FeatureRow]):
    """The state of one stream of rows; see TimedStream. on_step: see Segment.

    Rows are placed by their times: each is assigned to the nearest tick of the model's rate, so that jitter of up to
    half a row has no effect, and a sensor that is slightly slow or fast repeats or loses a row now and then.
    """

    def __init__(
        self, backend: Backend, settings: FeatureStreamSettings, *, on_step: StepCallback | None = None
    ) -> None:
        self.settings = settings
        grid = settings.grid
        resampler: Resampler[Prepared] = Resampler(
            grid,
            max_gap=grid.window * grid.step_seconds if settings.max_gap is None else settings.max_gap,
            jitter=1 / (2 * grid.fps),
        )
        super().__init__(backend, settings, resampler, on_step=on_step)

    def _prepared(self, moment: FeatureRow) -> _CopiedRow:
        if not isinstance(moment, FeatureRow):
            raise SettingsError(
                f"a {type(moment).__name__} was pushed; a stream of this model takes FeatureRow(values, seconds)"
            )
        try:
            with np.errstate(over="ignore"):  # overflow gives infinity, which is refused below
                values = np.array(moment.values, dtype=np.float32)
        except (TypeError, ValueError, OverflowError) as error:
            raise SettingsError(f"a feature row does not consist of numbers ({error}); pass float32 [width]") from error
        width, broken = self.settings.width, np.count_nonzero(~np.isfinite(values))
        if values.shape != (width,):
            raise SettingsError(f"a feature row has the shape {list(values.shape)}; this model takes [{width}]")
        if broken:
            raise SettingsError(
                f"{broken} values of a feature row are not finite in float32; this model takes {width} finite values "
                "per row; check how the features were computed"
            )
        return _CopiedRow(values, moment.seconds, moment.discontinuity, moment.duration)
