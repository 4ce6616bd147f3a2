"""The sources of a frame's time: presentation times, decoding times, arrival, or a count."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from cmsn_runtime.exact import beyond, times

# PTS that run backwards once or twice indicate damage; more than that, in one frame of ten, a wrong container.
_WRONG_PTS_AT_LEAST = 3
_WRONG_PTS_SHARE = 10
_WRONG_PTS_WITHIN = Fraction(1)  # seconds; a larger step back is a clock that was set back

_USUAL_RATE = Fraction(25)
WRAP_MARGIN = Fraction(60)  # seconds on both sides of a wrap; FFmpeg's own margin
_MOST_IN_DECODER = 64  # packets; reordering takes 16 frames at most
_NANOSECOND = Fraction(1, 1_000_000_000)


class Stamps(Protocol):
    """Seconds of frames in the order they leave the decoder, from packets in the order they enter it.

    time_base: seconds per tick of the PTS that packets and frames carry.
    """

    @property
    def time_base(self) -> Fraction: ...

    def sent(self, pts: int | None, dts: int | None) -> int | None:
        """A packet goes to the decoder -> the PTS it must carry, which its frame then has."""

    def lost(self) -> None:
        """The decoder refused the packet that was sent last."""

    def seconds(self, carried: int | None, *, key: bool) -> Fraction | None:
        """Seconds of the frame that comes out next; None where it has no time yet."""


class Unwrapper:
    """Timestamps of a counter that wraps at `period` -> timestamps that continue.

    Only a step from just below `period` to just above zero is a wrap. Any other step back is a clock that was set back:
    time continues from its new value. A stream that begins just below `period` begins below zero, as in FFmpeg.
    """

    def __init__(self, period: int | None, margin: int) -> None:
        self._period = period
        self._margin = margin
        self._turns = 0
        self._last: int | None = None

    def __call__(self, raw: int) -> int:
        if self._period is None:
            return raw
        if self._last is None:
            self._last = raw - self._period if raw >= self._period - self._margin else raw
            self._turns = (self._last - raw) // self._period
            return self._last
        step = raw + self._turns * self._period - self._last
        if step < self._margin - self._period:
            self._turns += 1
        elif step > self._period - self._margin:
            self._turns -= 1
        elif step < -self._margin:
            self._turns = 0
        self._last = raw + self._turns * self._period
        return self._last


class PresentationStamps:
    """PTS times `time_base`.

    - Frames leave a decoder in presentation order. Where PTS contradict this repeatedly, the DTS are used instead:
      frame n of the output is shown at the n-th DTS. The same applies to frames without PTS.
    - Without any timestamp a frame follows the last one by 1 / `rate` seconds (the stream's average rate; 25 if unset).

    period: ticks after which the counter wraps; None where it does not.
    from_first: PTS count from the first packet (RTP, as FFmpeg reads it), whose own its parser loses: it is 0. Frames
        without PTS before the first that has one have no time.
    """

    def __init__(
        self, time_base: Fraction, rate: Fraction | None, *, period: int | None = None, from_first: bool = False
    ) -> None:
        margin = int(WRAP_MARGIN / time_base)
        self.time_base = time_base
        self._interval = 1 / (rate or _USUAL_RATE)
        self._from_first = from_first
        self._sent = False
        self._in_decoder = _InDecoder()
        self._wrong_within = math.ceil(_WRONG_PTS_WITHIN / time_base)  # ticks
        self._unwrap_pts, self._unwrap_dts = Unwrapper(period, margin), Unwrapper(period, margin)
        self._last: Fraction | None = None
        self._last_pts: int | None = None
        self._frames = 0
        self._wrong_pts = 0

    def sent(self, pts: int | None, dts: int | None) -> int | None:
        if self._from_first and not self._sent and pts is None:
            pts = 0
        self._sent = True
        self._in_decoder.sent(pts, None if dts is None else self._unwrap_dts(dts))
        return pts

    def lost(self) -> None:
        self._in_decoder.lost()

    def seconds(self, carried: int | None, *, key: bool) -> Fraction | None:
        dts = self._in_decoder.next_dts(carried, key=key)
        pts = None if carried is None else self._unwrap_pts(carried)
        self._judge(pts)
        if self._from_first and pts is None and self._last_pts is None:
            return None
        wrong = self._wrong_pts >= max(_WRONG_PTS_AT_LEAST, self._frames / _WRONG_PTS_SHARE)
        first, second = (dts, pts) if wrong else (pts, dts)
        stamp = second if first is None else first
        if stamp is not None:
            self._last = times(stamp, self.time_base)
        else:
            self._last = Fraction(0) if self._last is None else self._last + self._interval
        return self._last

    def _judge(self, pts: int | None) -> None:
        self._frames += 1
        if pts is None:
            return
        if self._last_pts is not None:
            self._wrong_pts += 0 <= self._last_pts - pts < self._wrong_within
        self._last_pts = pts


class DecodingStamps:
    """DTS times `time_base`, for containers that have no PTS (AVI), where FFmpeg's guessed PTS are late.

    Frame n of the output is shown at the n-th DTS. Packets that gave no frame are detected at each key frame.
    """

    def __init__(self, time_base: Fraction) -> None:
        self.time_base = time_base
        self._in_decoder = _InDecoder()

    def sent(self, pts: int | None, dts: int | None) -> int | None:
        stamp = pts if dts is None else dts
        self._in_decoder.sent(stamp, stamp)
        return stamp

    def lost(self) -> None:
        self._in_decoder.lost()

    def seconds(self, carried: int | None, *, key: bool) -> Fraction | None:
        dts = self._in_decoder.next_dts(carried, key=key)
        stamp = carried if dts is None else dts
        return None if stamp is None else times(stamp, self.time_base)


class ArrivalStamps(DecodingStamps):
    """Seconds since the source was opened, by this machine's clock, for live streams that carry no time.

    The first packet, which was read on opening, is at zero; loading the model may take a while before the next is read.
    FFmpeg's own use_wallclock_as_timestamps would round to an assumed time base, and must be set before the format is
    known.
    """

    def __init__(self, now: Callable[[], int] = time.monotonic_ns) -> None:
        super().__init__(_NANOSECOND)
        self._now = now
        self._begin = now()
        self._first = True

    def sent(self, pts: int | None, dts: int | None) -> int | None:
        stamp = 0 if self._first else self._now() - self._begin
        self._first = False
        return super().sent(stamp, stamp)


class CountedStamps:
    """Frame n at n / `rate` seconds; packets that the decoder refused keep their places."""

    def __init__(self, rate: Fraction, time_base: Fraction) -> None:
        self.time_base = time_base
        self.rate = rate
        self._interval = 1 / rate
        self._count = 0

    def sent(self, pts: int | None, dts: int | None) -> int | None:
        return pts

    def lost(self) -> None:
        self._count += 1

    def seconds(self, carried: int | None, *, key: bool) -> Fraction | None:
        self._count += 1
        return times(self._count - 1, self._interval)


def shown_seconds(stamps: Stamps, duration: int | None, begin: Fraction, last: Fraction | None) -> Fraction | None:
    """Seconds for which a container shows a frame, where they are more than since the last; shorter ones are guesses.

    duration: that the frame carries, in units of its stamps. begin: its time. last: of the frame before it; None for
    the first, whose duration counts where it is more than that of most.
    """
    if not duration or not isinstance(stamps, (PresentationStamps, DecodingStamps)):
        return None
    shown = times(duration, stamps.time_base)
    if last is None:
        return shown if shown > 1 / _USUAL_RATE else None
    return shown if beyond(last, begin, shown) < 0 else None


class _InDecoder:
    """The packets between a decoder's two ends, as (PTS they carry, DTS)."""

    def __init__(self) -> None:
        self._packets: deque[tuple[int | None, int | None]] = deque(maxlen=_MOST_IN_DECODER)

    def sent(self, pts: int | None, dts: int | None) -> None:
        self._packets.append((pts, dts))

    def lost(self) -> None:
        if self._packets:
            self._packets.pop()

    def next_dts(self, carried: int | None, *, key: bool) -> int | None:
        """The DTS of the n-th packet for the n-th frame.

        Every packet sent before a key frame is shown before it: those left at that point have given no frame.
        """
        if key and carried is not None and any(pts == carried for pts, _ in self._packets):
            while self._packets[0][0] != carried:
                self._packets.popleft()
        return self._packets.popleft()[1] if self._packets else None
