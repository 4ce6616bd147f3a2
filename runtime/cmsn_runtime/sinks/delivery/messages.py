"""Events as messages to a receiver on the network."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from cmsn_runtime.events import StreamEvent
from cmsn_runtime.sinks.fields import event_fields

_CHANGING = frozenset({"provisional", "revised", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Message:
    """An event as it is sent. key: unique, the same each time it is sent. kind: of the event. body: JSON."""

    key: str
    camera: str
    kind: str
    body: bytes

    @property
    def lasting(self) -> bool:
        """Whether it reports what no later event repeats: a final, or a notice."""
        return self.kind not in _CHANGING

    @property
    def size(self) -> int:
        """Bytes that it takes in a spool, roughly."""
        return len(self.body) + len(self.key) + len(self.camera) + 64


def message_of(source: str, event: StreamEvent, **more: object) -> Message:
    """more: fields beside those that every output has."""
    fields = event_fields(source, event)
    key = event.stamp.key if event.stamp else f"{source}/{secrets.token_hex(8)}"
    return Message(key, source, event.kind, json.dumps({**fields, **more}).encode())
