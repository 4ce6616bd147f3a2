"""The kind of output `webhook`, of command lines and site files."""

from __future__ import annotations

from cmsn_runtime.sinks.delivery.kinds import delivering_kind
from cmsn_runtime.sinks.webhook.settings import webhook_address, webhook_table
from cmsn_runtime.sinks.webhook.sink import WebhookSink

WEBHOOK = delivering_kind(
    WebhookSink,
    of_address=webhook_address,
    of_table=webhook_table,
    module="urllib3",
    package="urllib3",
    feature="a webhook",
)
