"""Home Assistant's discovery: one retained message for each camera makes a device with three entities.

Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import version
from typing import get_args

from cmsn_runtime.events import EventKind, NoticeKind
from cmsn_runtime.sinks.mqtt.topics import Topics

BIRTH = b"online"  # what it publishes when it has started, by default


def birth_topic(prefix: str) -> str:
    """Where Home Assistant reports that it has started, or ends."""
    return f"{prefix}/status"


def discovery(prefix: str, topics: Topics, camera: str) -> tuple[str, bytes]:
    """Topic and payload, which announce a camera."""
    device = f"cmsn_{_identifier(topics.site, camera)}"
    entities = _entities(topics, camera)
    payload = {
        "device": {
            "identifiers": [device],
            "name": camera,
            "manufacturer": "cmsn",
            "model": f"camera of {topics.site}",
        },
        "origin": {"name": "cmsn", "sw_version": version("cmsn")},
        "availability": [{"topic": topics.site_available}, {"topic": topics.available(camera)}],
        "availability_mode": "all",
        "components": {name: {**entity, "unique_id": f"{device}_{name}"} for name, entity in entities.items()},
        "qos": 1,
    }
    return f"{prefix}/device/{device}/config", json.dumps(payload).encode()


def _entities(topics: Topics, camera: str) -> dict[str, dict[str, object]]:
    """By their names: whether an action is going on, the newest event, and how far the camera lags behind."""
    return {
        "action": {
            "platform": "binary_sensor",
            "name": "Action",
            "device_class": "motion",
            "state_topic": topics.action(camera),
            "payload_on": "ON",
            "payload_off": "OFF",
        },
        "event": {
            "platform": "event",
            "name": "Event",
            "state_topic": topics.events(camera),
            "event_types": [*get_args(EventKind), *get_args(NoticeKind)],
        },
        "lag": {
            "platform": "sensor",
            "name": "Lag",
            "device_class": "duration",
            "unit_of_measurement": "s",
            "suggested_display_precision": 2,
            "state_topic": topics.health(camera),
            "value_template": "{{ value_json.lag }}",
            "entity_category": "diagnostic",
        },
    }


def _identifier(site: str, camera: str) -> str:
    """Letters, digits and underscores that differ for each camera of each site."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", f"{site}_{camera}")[:64].strip("_")
    return f"{name}_{hashlib.sha256(json.dumps([site, camera]).encode()).hexdigest()[:8]}"
