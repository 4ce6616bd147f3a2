"""Posts the events of all cameras to a web server."""

from __future__ import annotations

import hashlib

from cmsn_runtime.events import StreamEvent
from cmsn_runtime.sinks.base import Sink, is_chosen
from cmsn_runtime.sinks.delivery.messages import message_of
from cmsn_runtime.sinks.delivery.settings import drain_seconds, spool_of, tls_context
from cmsn_runtime.sinks.delivery.status import DeliveryStatus
from cmsn_runtime.sinks.kinds import SinkContext
from cmsn_runtime.sinks.webhook.receiver import Receiver
from cmsn_runtime.sinks.webhook.sender import Sender
from cmsn_runtime.sinks.webhook.settings import WebhookSettings, target_of

_TAG_LETTERS = 16


class WebhookSink(Sink):
    """Each event goes through the spool to the receiver, at least once and in order. Raises SettingsError and
    OutputError.
    """

    def __init__(self, settings: WebhookSettings, context: SinkContext) -> None:
        target = target_of(settings, context)
        self._name = target.name
        self._events = settings.events
        self._report = context.report
        tls = tls_context(settings.ca, "", "", context) if target.name.startswith("https:") else None
        receiver = Receiver(target, timeout_seconds=settings.timeout_seconds, tls=tls)
        # The address may be secret, so the spool of a command line is named by its hash.
        tag = hashlib.sha256(target.url.reveal().encode()).hexdigest()[:_TAG_LETTERS]
        self._spool = spool_of("webhook", tag, settings.spool_megabytes, context)
        self._sender = Sender(
            receiver,
            self._spool,
            name=self.name,
            retry_seconds=(settings.first_retry_seconds, settings.last_retry_seconds),
            drain_seconds=drain_seconds(context),
            report=context.report,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def status(self) -> DeliveryStatus:
        """How the delivery goes."""
        spool, sender = self._spool, self._sender
        counts = spool.waiting, spool.waiting_bytes, sender.delivered, sender.refused
        return DeliveryStatus(self.name, sender.reachable, *counts, lost=spool.lost)

    def event(self, source: str, event: StreamEvent) -> None:
        """Store the event."""
        self._raise_error()
        if is_chosen(event, self._events):
            self._spool.add(message_of(source, event))
            self._sender.wake()

    def finish(self) -> None:
        """Begin to post what waits."""
        self._sender.finish()

    def close(self) -> None:
        """Stop posting; what is not taken by then stays in the spool."""
        self._sender.close()
        if self._spool.waiting:
            self._report(f"{self.name}: {self._spool.waiting} events wait in the spool; the next start sends them")
        self._spool.close()
        self._raise_error()

    def _raise_error(self) -> None:
        """Raise what ended the sender, once."""
        if self._sender.error is not None:
            error, self._sender.error = self._sender.error, None
            raise error
