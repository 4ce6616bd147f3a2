"""When and where a benchmark ran: the first lines of its JSON file."""

from __future__ import annotations

import os
from datetime import datetime

from cmsn_benchmarks.device.facts import machine_facts


def run_facts(**more: object) -> dict[str, object]:
    """began: time of day, ISO 8601. machine: its facts and `more` of them, and its load: whether it was quiet."""
    return {
        "began": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": {**machine_facts(), "load_at_begin": round(os.getloadavg()[0], 2), **more},
    }
