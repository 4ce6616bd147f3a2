"""Posts the events of all cameras to a web server."""

from __future__ import annotations

import hashlib

from cmsn_runtime.sinks.delivery.settings import drain_seconds, spool_of, tls_context
from cmsn_runtime.sinks.delivery.sink import DeliverySink
from cmsn_runtime.sinks.delivery.status import DeliveryStatus
from cmsn_runtime.sinks.kinds import SinkContext
from cmsn_runtime.sinks.webhook.receiver import Receiver
from cmsn_runtime.sinks.webhook.sender import Sender
from cmsn_runtime.sinks.webhook.settings import WebhookSettings, target_of

_TAG_LETTERS = 16


class WebhookSink(DeliverySink[Sender]):
    """Each event goes through the spool to the receiver, at least once and in order. Raises SettingsError and
    OutputError.
    """

    def __init__(self, settings: WebhookSettings, context: SinkContext) -> None:
        target = target_of(settings, context)
        tls = tls_context(settings.ca, "", "", context) if target.name.startswith("https:") else None
        receiver = Receiver(target, timeout_seconds=settings.timeout_seconds, tls=tls)
        # The address may be secret, so the spool of a command line is named by its hash.
        tag = hashlib.sha256(target.url.reveal().encode()).hexdigest()[:_TAG_LETTERS]
        spool = spool_of("webhook", tag, settings.spool_megabytes, context)
        sender = Sender(
            receiver,
            spool,
            name=target.name,
            retry_seconds=(settings.first_retry_seconds, settings.last_retry_seconds),
            drain_seconds=drain_seconds(context),
            report=context.report,
        )
        super().__init__(target.name, spool, sender, events=settings.events, report=context.report)

    @property
    def status(self) -> DeliveryStatus:
        """How the delivery goes."""
        spool, sender = self._spool, self._sender
        counts = spool.waiting, spool.waiting_bytes, sender.delivered, sender.refused
        return DeliveryStatus(self.name, sender.reachable, *counts, lost=spool.lost)
