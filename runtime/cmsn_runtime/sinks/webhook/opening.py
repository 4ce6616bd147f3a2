"""The kind of output `webhook`, of command lines and site files."""

from __future__ import annotations

from collections.abc import Mapping

from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind
from cmsn_runtime.sinks.webhook.settings import WebhookSettings, webhook_address, webhook_table
from cmsn_runtime.sinks.webhook.sink import WebhookSink


def _open(settings: WebhookSettings, context: SinkContext) -> Sink:
    try:
        return WebhookSink(settings, context)
    except ModuleNotFoundError as error:
        raise MissingExtraError("urllib3", "live", "a webhook") from error


def _open_address(address: str, context: SinkContext) -> Sink:
    return _open(webhook_address(address, context), context)


def _open_table(table: Mapping[str, object], context: SinkContext) -> Sink:
    return _open(webhook_table(table, context), context)


WEBHOOK = SinkKind(open=_open_address, open_table=_open_table, check_table=webhook_table)
