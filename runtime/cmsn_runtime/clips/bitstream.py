"""Makes compressed frames self-contained: everything that decoding from a key frame needs is in the packets.

MP4, FLV and RTMP keep parameter sets of H.264 and H.265 apart, as "extradata", and precede each unit by its length
(ISO/IEC 14496-15); RTSP and MPEG-TS send start codes (Annex B). A muxer that gets the latter writes either, and takes
the parameter sets from the first packet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_START = b"\0\0\0\1"
_VERSION = 1  # the first byte of both configuration records; extradata in Annex B begins with 0
_H264_SETS, _H265_ARRAYS = 5, 22  # where the counts are, which the records begin with


@dataclass(frozen=True, slots=True)
class Bitstream:
    """How packets of one codec are changed. headers: precede each key frame. length_bytes: of the length that precedes
    each unit; 0 where units are not preceded by their lengths.
    """

    headers: bytes
    length_bytes: int = 0

    @classmethod
    def of(cls, codec: str, extradata: bytes) -> Bitstream:
        """codec: FFmpeg's name of it. Raises ValueError for extradata that end within a parameter set."""
        if codec == "h264" and extradata[:1] == bytes([_VERSION]):
            return cls(_annex_b(_h264_sets(extradata)), (extradata[4] & 3) + 1)
        if codec == "hevc" and extradata[:1] == bytes([_VERSION]):
            return cls(_annex_b(_h265_sets(extradata)), (extradata[21] & 3) + 1)
        # AV1's key frames have their sequence header, and its extradata are of another form.
        return cls(b"" if codec == "av1" else extradata)

    def self_contained(self, data: bytes, *, key: bool) -> bytes:
        """A packet, with the headers where it is a key frame without them."""
        if self.length_bytes:
            data = _annex_b(_units(data, self.length_bytes))
        return self.headers + data if key and not data.startswith(self.headers) else data


def _annex_b(units: Iterator[bytes]) -> bytes:
    return b"".join(_START + unit for unit in units)


def _h264_sets(record: bytes) -> Iterator[bytes]:
    """Sequence and picture parameter sets of an AVCDecoderConfigurationRecord."""
    at, count = _H264_SETS + 1, record[_H264_SETS] & 31
    for last in (False, True):
        for _ in range(count):
            yield _unit(record, at, 2)
            at += 2 + len(_unit(record, at, 2))
        if not last:
            at, count = at + 1, record[at]


def _h265_sets(record: bytes) -> Iterator[bytes]:
    """Parameter sets of an HEVCDecoderConfigurationRecord."""
    at = _H265_ARRAYS + 1
    for _ in range(record[_H265_ARRAYS]):
        count = int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            yield _unit(record, at, 2)
            at += 2 + len(_unit(record, at, 2))


def _units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    at = 0
    while at + length_bytes <= len(data):
        unit = data[at + length_bytes :][: int.from_bytes(data[at : at + length_bytes], "big")]
        at += length_bytes + len(unit)
        if unit:
            yield unit


def _unit(record: bytes, at: int, length_bytes: int) -> bytes:
    length = int.from_bytes(record[at : at + length_bytes], "big")
    unit = record[at + length_bytes :][:length]
    if len(unit) < length or not length:
        raise ValueError("extradata end within a parameter set")
    return unit
