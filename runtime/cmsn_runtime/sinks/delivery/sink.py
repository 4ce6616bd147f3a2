"""An output whose events wait in a spool until a sender has delivered them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from cmsn_runtime.events import StreamEvent
from cmsn_runtime.sinks.base import EventChoice, Sink, is_chosen
from cmsn_runtime.sinks.delivery.messages import Message, message_of
from cmsn_runtime.sinks.delivery.spool import Spool


class Sender(Protocol):
    """Delivers what is in a spool, in a thread of its own. error: what ended the thread, if something did."""

    error: Exception | None

    def wake(self) -> None:
        """There is a new event in the spool."""

    def finish(self) -> None:
        """Begin to deliver what waits, and to end then."""

    def close(self) -> None:
        """Wait until that is done, or its time is over."""


OwnSender = TypeVar("OwnSender", bound=Sender)


class DeliverySink(Sink, Generic[OwnSender]):
    """Stores the chosen events of all cameras, and raises what ended the sender. name: of the receiver, in public."""

    def __init__(
        self, name: str, spool: Spool, sender: OwnSender, *, events: EventChoice, report: Callable[[str], None]
    ) -> None:
        self._name, self._events = name, events
        self._spool, self._sender = spool, sender
        self._on_report = report

    @property
    def name(self) -> str:
        return self._name

    def event(self, source: str, event: StreamEvent) -> None:
        """Store the event."""
        self._raise_error()
        if is_chosen(event, self._events):
            self._spool.add(self._message(source, event))
            self._sender.wake()

    def finish(self) -> None:
        """Begin to deliver what waits."""
        self._sender.finish()

    def close(self) -> None:
        """End the delivery; what is not delivered by then stays in the spool."""
        self._sender.close()
        if self._spool.waiting:
            self._on_report(f"{self.name}: {self._spool.waiting} events wait in the spool; the next start sends them")
        self._spool.close()
        self._raise_error()

    def _message(self, source: str, event: StreamEvent) -> Message:
        return message_of(source, event)

    def _raise_error(self) -> None:
        """Raise what ended the sender, once."""
        if self._sender.error is not None:
            error, self._sender.error = self._sender.error, None
            raise error
