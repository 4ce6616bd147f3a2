"""The kind of output `mqtt`, of command lines and site files."""

from __future__ import annotations

from collections.abc import Mapping

from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind
from cmsn_runtime.sinks.mqtt.settings import MqttSettings, mqtt_address, mqtt_table
from cmsn_runtime.sinks.mqtt.sink import MqttSink


def _open(settings: MqttSettings, context: SinkContext) -> Sink:
    try:
        return MqttSink(settings, context)
    except ModuleNotFoundError as error:
        raise MissingExtraError("paho-mqtt", "live", "an MQTT output") from error


def _open_address(address: str, context: SinkContext) -> Sink:
    return _open(mqtt_address(address, context), context)


def _open_table(table: Mapping[str, object], context: SinkContext) -> Sink:
    return _open(mqtt_table(table, context), context)


MQTT = SinkKind(open=_open_address, open_table=_open_table, check_table=mqtt_table)
