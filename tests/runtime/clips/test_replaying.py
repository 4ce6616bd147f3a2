"""A clip that was cut from the ring gives its event again, to the digit."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from command_line import ACTION, clip
from live_camera import NAME, Session, play

from cmsn_runtime.bundle import Bundle
from cmsn_runtime.clips.comparing import Comparer, Comparison
from cmsn_runtime.clips.record import ClipRecord, read_record
from cmsn_runtime.clips.replaying import read_clip
from cmsn_runtime.clips.sink import ClipSettings, ClipSink
from cmsn_runtime.errors import SourceError
from cmsn_runtime.streams.stream import Stream


@pytest.fixture
def sink(tmp_path: Path) -> ClipSink:
    return clip_sink(tmp_path)


def clip_sink(tmp_path: Path, **settings: Any) -> ClipSink:
    return ClipSink(ClipSettings(folder="clips", **settings), tmp_path / "saved", site="mill")


def saved(tmp_path: Path) -> list[Path]:
    return sorted(
        (path for path in (tmp_path / "saved").iterdir() if path.suffix != ".json"),
        key=lambda path: int(re.findall(r"_(\d+)_1\.clip", path.name)[0]),
    )


def replayed(tmp_path: Path, bundle: Bundle) -> list[Comparison]:
    with Comparer(bundle=bundle.path) as comparer:
        return [comparer.compare(read_clip(path)) for path in saved(tmp_path)]


def record_of(path: Path) -> ClipRecord:
    return read_record(path.with_suffix(".json"))


@pytest.mark.parametrize(("gop", "frames"), [(12, "2"), (250, "0")])
def test_every_final_is_equal_and_clips_do_not_begin_at_the_begin(
    bundle: Bundle, sink: ClipSink, tmp_path: Path, gop: int, frames: str
) -> None:
    """With and without frames that are decoded in another order than they are shown; one key frame in a window."""
    video = coloured(tmp_path / "video.mp4", ACTION * 6, gop=gop, b_frames=frames)
    with bundle.stream() as stream:
        finals = play(stream, sink, Session(video, offset=Fraction(7, 90000)))
    found = replayed(tmp_path, bundle)
    assert [each.recorded for each in found] == [event.proposal for event in finals] and len(found) == 6
    assert [each.notes for each in found] == [()] * 6
    assert all(each.equal for each in found) and all(0.5 < each.recorded.score < 1 for each in found)
    records = [record_of(path) for path in saved(tmp_path)]
    assert sum(record.resume is not None for record in records) >= 3
    assert (records[-1].frames[0] or 0) > 5
    assert sink.counts == {"saved": 6, "inexact": 0}


def coloured(
    path: Path, colours: list[tuple[int, int, int]], *, gop: int, b_frames: str = "0", codec: str = "libx264"
) -> Path:
    """Dim colours, each a little different, so that scores are below 1 and depend on every frame."""
    shown = [np.full((48, 64, 3), dimmed(colour, index), np.uint8) for index, colour in enumerate(colours)]
    rate = Fraction(30000, 1001)
    times = [Fraction(round(index / rate * 12800), 12800) for index in range(len(shown))]
    return write_clip(path, shown, times=times, rate=30, codec=codec, options={"g": str(gop), "bf": b_frames})


def dimmed(colour: tuple[int, int, int], index: int) -> tuple[int, ...]:
    return tuple(level * (6 + index % 7) // 255 for level in colour)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("libx264", ".ts"), ("libx265", ".mp4"), ("mpeg4", ".mp4"), ("mjpeg", ".mkv")]
)
def test_packets_of_every_usual_codec_are_remuxed(
    bundle: Bundle, sink: ClipSink, tmp_path: Path, codec: str, suffix: str
) -> None:
    options = {"x265-params": "keyint=25:log-level=none"} if codec == "libx265" else {"g": "25"}
    shown = [np.full((48, 64, 3), colour, np.uint8) for colour in ACTION * 3]
    format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    video = write_clip(tmp_path / f"video{suffix}", shown, codec=codec, options=options, rate=30, pixel_format=format)
    with bundle.stream() as stream:
        finals = play(stream, sink, Session(video))
    found = replayed(tmp_path, bundle)
    assert len(finals) == 3 and [each.equal for each in found] == [True] * 3


def test_frames_at_the_size_of_the_model_give_the_same(
    bundle: Bundle, sink: ClipSink, tmp_path: Path, clips: Path
) -> None:
    """As captures deliver them; the replay decodes full pictures."""
    with bundle.stream() as stream:
        play(stream, sink, Session(clips / "action.mp4"), size=bundle.preprocessing.resize)
    assert [each.equal for each in replayed(tmp_path, bundle)] == [True]


@pytest.mark.parametrize("options", [{"chunk_frames": 24}, {"hop_steps": 5}, {"min_score": 0.6}])
def test_chunks_hops_and_settings_are_those_of_the_stream(
    bundle: Bundle, sink: ClipSink, tmp_path: Path, options: dict[str, Any]
) -> None:
    video = clip(tmp_path / "video.mp4", ACTION * 4)
    with bundle.stream(**options) as stream:
        assert len(play(stream, sink, Session(video))) == 4
    found = replayed(tmp_path, bundle)
    assert len(found) == 4 and all(each.equal for each in found)


def test_a_session_that_ends_within_an_action_keeps_its_clip(bundle: Bundle, sink: ClipSink, tmp_path: Path) -> None:
    """The final comes when the next session has begun, in another part of the ring, at a phase of its own."""
    cut = clip(tmp_path / "cut.mp4", (ACTION * 3)[: 2 * 224 + 110])
    whole = clip(tmp_path / "whole.mp4", ACTION * 3)
    with bundle.stream() as stream:
        finals = play(stream, sink, Session(cut), Session(whole, number=2, offset=Fraction(4000, 97)))
    assert len(finals) == 6
    found = replayed(tmp_path, bundle)
    assert [each.equal for each in found] == [True] * 6
    records = [record_of(path) for path in saved(tmp_path)]
    assert records[2].provenance.how == "ending"
    assert [record.provenance.origin == 0 for record in records] == [True] * 3 + [False] * 3


def test_an_action_longer_than_the_window_is_replayed_from_its_first_report(
    bundle: Bundle, sink: ClipSink, tmp_path: Path
) -> None:
    colours = [*ACTION * 2, *ACTION[:64], *ACTION[64:96] * 16, *ACTION[96:]]
    video = coloured(tmp_path / "video.mp4", colours, gop=25)
    with bundle.stream() as stream:
        finals = play(stream, sink, Session(video))
    found = replayed(tmp_path, bundle)
    assert len(finals) == 3 and [(each.equal, each.notes) for each in found] == [(True, ())] * 3
    resume = record_of(saved(tmp_path)[-1]).resume
    assert resume is not None and finals[-1].provenance is not None and resume.hop < finals[-1].provenance.step


def test_a_ring_that_does_not_reach_back_says_so(bundle: Bundle, tmp_path: Path) -> None:
    sink = clip_sink(tmp_path, ring_seconds=8)
    video = coloured(tmp_path / "video.mp4", ACTION * 4, gop=25)
    with bundle.stream() as stream:
        play(stream, sink, Session(video))
    records = [record_of(path) for path in saved(tmp_path)]
    assert [record.exact for record in records] == [True, False, False, False]
    assert re.fullmatch(r"the ring reached back \d+\.\d s of \d+\.\d s", records[-1].why_not)
    assert sink.counts == {"saved": 4, "inexact": 3}
    assert "not exact: the ring" in replayed(tmp_path, bundle)[-1].notes[0]


def test_a_long_action_whose_begin_the_ring_has_lost_is_marked(bundle: Bundle, tmp_path: Path) -> None:
    sink = clip_sink(tmp_path, ring_seconds=16)
    colours = [*ACTION[:64], *ACTION[64:96] * 16, *ACTION[96:]]
    video = coloured(tmp_path / "video.mp4", colours, gop=25)
    with bundle.stream() as stream:
        play(stream, sink, Session(video))
    (record,) = [record_of(path) for path in saved(tmp_path)]
    assert not record.exact and "remembered" in record.why_not
    assert [each.equal for each in replayed(tmp_path, bundle)] == [True]


def test_packets_that_did_not_reach_the_ring_are_found_by_the_frames_that_were_seen(
    bundle: Bundle, sink: ClipSink, tmp_path: Path
) -> None:
    video = coloured(tmp_path / "video.mp4", ACTION * 2, gop=25)
    with bundle.stream() as stream:
        play(stream, sink, Session(video, lost=frozenset({240, 241})))
    records = [record_of(path) for path in saved(tmp_path)]
    assert [record.why_not for record in records] == ["", "2 of its packets did not come"]


def test_frames_that_the_model_did_not_see_are_left_out_of_the_replay(
    bundle: Bundle, sink: ClipSink, tmp_path: Path
) -> None:
    """Such as one that was damaged: what a decoder makes of it without its past may be another."""
    video = coloured(tmp_path / "video.mp4", ACTION * 2, gop=25)
    with bundle.stream() as stream:
        play(stream, sink, Session(video, damaged=frozenset({300, 301, 302, 330})))
    assert [each.equal for each in replayed(tmp_path, bundle)] == [True, True]
    assert record_of(saved(tmp_path)[1]).frames.count(None) == 4


def test_the_sidecar_holds_the_event_and_everything_around_it(
    bundle: Bundle, sink: ClipSink, tmp_path: Path, clips: Path
) -> None:
    with bundle.stream() as stream:
        (event,) = play(stream, sink, Session(clips / "action.mp4"))
    (path,) = saved(tmp_path)
    assert path.name == f"mill_{NAME}_20260101T000000Z-0000_1_1_1.clip.mp4"
    content = json.loads(path.with_suffix(".json").read_text())
    assert event.stamp is not None
    assert {key: content["event"][key] for key in ("id", "seq", "key", "clock")} == {
        "id": event.stamp.id,
        "seq": event.stamp.seq,
        "key": event.stamp.key,
        "clock": "arrival",
    }
    assert (content["site"], content["camera"], content["exact"]) == ("mill", NAME, True)
    assert content["proposal"] == {
        "start": str(event.proposal.start),
        "end": str(event.proposal.end),
        "score": event.proposal.score,
    }
    setup = content["provenance"]["setup"]
    assert (setup["model"], setup["model_sha256"]) == ("tiny", bundle.sha256)
    assert (setup["chunk_frames"], setup["hop_steps"], setup["grid"]["fps"]) == (8, 1, "30000/1001")
    assert setup["tracking"]["settle_steps"] == 8 and setup["backend"] == bundle.backend.name
    assert content["frames"][:2] == ["0", "1001/7500"] and content["clock"]["offset"] == "1800000000"
    assert set(content["versions"]) == {"cmsn", "PyAV", "libavcodec"}


def test_a_clip_that_was_changed_is_refused(bundle: Bundle, sink: ClipSink, tmp_path: Path, clips: Path) -> None:
    with bundle.stream() as stream:
        play(stream, sink, Session(clips / "action.mp4"))
    (path,) = saved(tmp_path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(SourceError, match=r"was changed since it was saved .*; get the original"):
        read_clip(path)


def test_a_renamed_copy_is_what_is_read_and_not_the_original_beside_it(
    bundle: Bundle, sink: ClipSink, tmp_path: Path, clips: Path
) -> None:
    with bundle.stream() as stream:
        play(stream, sink, Session(clips / "action.mp4"))
    (path,) = saved(tmp_path)
    copy = path.with_name("copy.clip.mp4")
    copy.write_bytes(path.read_bytes())
    copy.with_suffix(".json").write_bytes(path.with_suffix(".json").read_bytes())
    assert read_clip(copy).path == copy
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(SourceError, match=r"copy\.clip\.mp4: was changed since it was saved"):
        read_clip(copy)


def test_the_same_frames_in_another_phase_differ(bundle: Bundle, sink: ClipSink, tmp_path: Path) -> None:
    """What the sidecar's phase is for."""
    video = coloured(tmp_path / "video.mp4", ACTION * 4, gop=25)
    with bundle.stream() as stream:
        play(stream, sink, Session(video))
    sidecar = saved(tmp_path)[-1].with_suffix(".json")
    content = json.loads(sidecar.read_text())
    origin = str(Fraction(content["resume"]["origin"]) + Fraction(3 * 1001, 30000))
    content["resume"]["origin"] = content["provenance"]["origin"] = origin
    sidecar.write_text(json.dumps(content))
    assert [each.equal for each in replayed(tmp_path, bundle)] == [True, True, True, False]


def test_what_is_settled_without_another_hop_is_equal(bundle: Bundle, sink: ClipSink, tmp_path: Path) -> None:
    """As where a machine is too slow: the action under way is final as it was last seen."""
    video = coloured(tmp_path / "video.mp4", (ACTION * 3)[: 2 * 224 + 140], gop=25)
    with bundle.stream() as stream:
        finals = play(_Settling(stream), sink, Session(video))  # type: ignore[arg-type]
    assert finals[-1].provenance is not None and finals[-1].provenance.how == "settled"
    assert [each.equal for each in replayed(tmp_path, bundle)] == [True] * 3


class _Settling:
    """A stream that is cut at its end."""

    def __init__(self, stream: Stream) -> None:
        self.push, self.flush = stream.push, stream.settle
