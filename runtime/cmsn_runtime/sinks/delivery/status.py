"""How the delivery to a receiver goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Of one moment. name: of the output, in public. reachable: whether the last attempt succeeded.

    waiting, waiting_bytes: in the spool. delivered, refused: since the start; a refused event is not sent again.
    lost: by kind, from a full spool or a disk that failed, since the spool was begun.
    """

    name: str
    reachable: bool
    waiting: int
    waiting_bytes: int
    delivered: int
    refused: int
    lost: Mapping[str, int]
