"""Cuts the packets of one event out of a ring, and decides whether their replay will be exact."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile
from typing import TYPE_CHECKING

from cmsn_runtime.clips.planning import Plan, first_step_at, plan_from, plan_replay
from cmsn_runtime.clips.ring import PacketRing, Part
from cmsn_runtime.events import Event
from cmsn_runtime.provenance import Provenance

if TYPE_CHECKING:
    from cmsn_runtime.capture.items import CapturedPacket


@dataclass(frozen=True, slots=True)
class Cut:
    """What goes into a clip. packets: the first is a key frame. why_not: why its replay is not exact; empty if it is.

    frames: times of the packets' frames, None for those that the model did not see. plan: what its replay does.
    phase: as in ClipRecord.
    """

    packets: Sequence[CapturedPacket]
    frames: tuple[Fraction | None, ...]
    plan: Plan
    why_not: str

    @property
    def phase(self) -> Fraction:
        """Seconds from the first frame to the first frame of a step."""
        return self.plan.begin - next(seconds for seconds in self.frames if seconds is not None)


def cut_clip(
    ring: PacketRing,
    event: Event,
    seen: Collection[Fraction],
    *,
    first: Provenance | None = None,
    before: Fraction = Fraction(0),
) -> Cut | None:
    """The packets of an event; None where the ring lacks its newest frame.

    seen: times of the frames that the model saw, for as long as the ring reaches back. first: provenance of the first
    report on the same action: from that one on, it is replayed where the window had lost the begin of the action at
    the end, so that it was remembered. before: seconds before the proposal's start that are to be seen at least.
    """
    provenance = event.provenance
    part = None if provenance is None else ring.part_of(provenance.newest)
    if provenance is None or part is None:
        return None
    plan, why_not = _plan(event, provenance, first, part)
    shown = event.proposal.start - before
    groups = [group for group in part.groups if group[0].seconds is not None]
    if not groups:
        return None
    early = [group for group in groups if group[0].seconds is not None and group[0].seconds <= min(plan.begin, shown)]
    begin = (early[-1] if early else groups[0])[0]
    packets = list(dropwhile(lambda packet: packet is not begin, part.packets()))
    last = max(index for index, packet in enumerate(packets) if _is_by(packet, provenance.newest))
    packets = packets[: last + 1]
    frames = tuple(packet.seconds if packet.seconds in seen else None for packet in packets)
    held = max((seconds for seconds in seen if seconds <= plan.begin), default=plan.begin)
    lost = {seconds for seconds in seen if held <= seconds <= provenance.newest} - set(frames)
    return Cut(packets, frames, plan, why_not or (f"{len(lost)} of its packets did not come" if lost else ""))


def _plan(event: Event, provenance: Provenance, first: Provenance | None, part: Part) -> tuple[Plan, str]:
    """What the replay does with this part, and why it is not exact."""
    plan = plan_replay(provenance)
    remembered = plan.resume is not None and _is_remembered(event, provenance)
    if remembered and first is not None:
        plan = plan_replay(first)
    begin = part.begin
    if begin is not None and begin <= plan.begin:
        return plan, ""
    if begin is not None and remembered and begin <= plan_replay(provenance).begin:
        why = "the begin of the action is no longer in the ring: start and score were remembered, and are not computed"
        return plan_replay(provenance), f"{why}; a longer ring is needed"
    held = Fraction(0) if begin is None else provenance.newest - begin
    needed = provenance.newest - plan.begin
    why = f"the ring reached back {float(held):.1f} s of {float(needed):.1f} s"
    step = first_step_at(provenance, provenance.newest if begin is None else begin)
    return plan_from(provenance, step=step), why


def _is_remembered(event: Event, provenance: Provenance) -> bool:
    """Whether the stretch of the action began where the window did, so that its start and score may be older ones."""
    begin = provenance.step - provenance.setup.grid.window
    tracks = (track for track in provenance.memory.tracks if track.action == event.action)
    return any(track.sighting.first <= begin for track in tracks)


def _is_by(packet: CapturedPacket, seconds: Fraction) -> bool:
    return packet.seconds is not None and packet.seconds <= seconds
