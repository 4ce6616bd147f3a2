"""The ring holds what it may, in whole groups, and the newest always."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from live_camera import changed

from cmsn_runtime.capture.items import CapturedPacket, Codec
from cmsn_runtime.clips.ring import PacketRing

CODEC = Codec("h264", 64, 48, "yuv420p", b"", Fraction(1, 90000), 1)


def packet(number: int, *, key: bool = False, size: int = 10, codec: Codec = CODEC) -> CapturedPacket:
    """One per second."""
    return CapturedPacket(
        bytes(size), number * 90000, number * 90000, 90000, key, Fraction(number), codec, float(number)
    )


def ring(*packets: CapturedPacket, max_bytes: int = 10**6, max_seconds: int = 10**6) -> PacketRing:
    found = PacketRing(max_bytes=max_bytes, max_seconds=Fraction(max_seconds))
    for each in packets:
        found.add(each)
    return found


def held(found: PacketRing, seconds: int) -> list[int]:
    """Seconds of what is in the part that holds a frame."""
    part = found.part_of(Fraction(seconds))
    return [] if part is None else [int(each.seconds or 0) for each in part.packets()]


def test_packets_before_the_first_key_frame_are_not_kept() -> None:
    assert held(ring(packet(0), packet(1), packet(2, key=True), packet(3)), 3) == [2, 3]


def test_whole_groups_go_once_the_next_one_reaches_back_far_enough() -> None:
    packets = [packet(number, key=number % 5 == 0) for number in range(13)]
    assert held(ring(*packets, max_seconds=7), 12) == list(range(5, 13))
    assert held(ring(*packets, max_seconds=8), 12) == list(range(13))


def test_the_oldest_groups_go_for_their_bytes() -> None:
    packets = [packet(number, key=number % 5 == 0) for number in range(13)]
    found = ring(*packets, max_bytes=80)
    assert held(found, 12) == list(range(5, 13)) and found.bytes == 80


def test_a_group_that_is_too_large_goes_up_to_the_next_key_frame() -> None:
    found = ring(packet(0, key=True), packet(1, size=100), packet(2), max_bytes=50)
    assert found.part_of(Fraction(2)) is None and found.bytes == 0
    found.add(packet(3, key=True))
    assert held(found, 3) == [3]


def test_sessions_without_a_key_frame_leave_nothing_and_hold_up_no_ageing() -> None:
    found = ring(packet(0, key=True), max_seconds=5)
    for session in range(2, 6):
        found.add(packet(session, codec=replace(CODEC, session=session)))
    for number in range(6, 20):
        found.add(packet(number, key=number % 3 == 0, codec=replace(CODEC, session=6)))
    assert found.part_of(Fraction(0)) is None and found.begin == 12


def test_another_session_begins_a_part_and_the_old_one_ages_with_it() -> None:
    second = changed_codec(session=2)
    found = ring(
        *(packet(number, key=number % 2 == 0) for number in range(4)),
        *(packet(number, key=number % 2 == 0, codec=second) for number in range(10, 14)),
        max_seconds=12,
    )
    assert held(found, 3) == [0, 1, 2, 3] and held(found, 11) == [10, 11, 12, 13]
    for number in range(14, 25):
        found.add(packet(number, key=number % 2 == 0, codec=second))
    assert held(found, 3) == [] and held(found, 24) == list(range(12, 25))


def test_a_change_of_resolution_within_a_session_begins_a_part() -> None:
    larger = changed_codec(width=128)
    found = ring(packet(0, key=True), packet(1), packet(2, key=True, codec=larger), packet(3, codec=larger))
    assert held(found, 1) == [0, 1] and held(found, 3) == [2, 3]


def test_what_a_decoder_learns_after_the_key_frame_begins_no_part() -> None:
    unknown = changed_codec(width=0)
    found = ring(packet(0, key=True, codec=unknown), packet(1), packet(2), packet(3, key=True))
    assert held(found, 2) == [0, 1, 2] and held(found, 3) == [3]


def test_a_frame_without_a_time_is_kept_for_those_that_refer_to_it() -> None:
    found = ring(packet(0, key=True), changed(packet(1), seconds=None), packet(2))
    part = found.part_of(Fraction(2))
    assert part is not None and [each.seconds for each in part.packets()] == [0, None, 2]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=80),
    st.integers(1, 300),
    st.integers(1, 40),
)
def test_bytes_are_counted_exactly_and_never_over_the_limit(
    shapes: list[tuple[bool, int]], max_bytes: int, max_seconds: int
) -> None:
    found = PacketRing(max_bytes=max_bytes, max_seconds=Fraction(max_seconds))
    for number, (key, size) in enumerate(shapes):
        found.add(packet(number, key=key, size=size))
        part = found.part_of(Fraction(number))
        kept = [] if part is None else list(part.packets())
        assert found.bytes <= max_bytes and found.bytes == sum(len(each.data) for each in kept)
        assert not kept or kept[0].key


def changed_codec(*, session: int = 1, width: int = 64) -> Codec:
    return Codec("h264", width, 48, "yuv420p", b"", Fraction(1, 90000), session)
