"""The kind of output `mqtt`, of command lines and site files."""

from __future__ import annotations

from cmsn_runtime.sinks.delivery.kinds import delivering_kind
from cmsn_runtime.sinks.mqtt.settings import mqtt_address, mqtt_table
from cmsn_runtime.sinks.mqtt.sink import MqttSink

MQTT = delivering_kind(
    MqttSink,
    of_address=mqtt_address,
    of_table=mqtt_table,
    module="paho",
    package="paho-mqtt",
    feature="an MQTT output",
)
