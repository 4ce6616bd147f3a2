"""Nothing leaves the machine by itself: ONNX Runtime's reports to its maker are off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OPEN = "from cmsn_runtime.bundle import open_bundle\nwith open_bundle(backend='onnxruntime', threads=1): pass"


def test_opening_a_bundle_leaves_no_identity_of_this_machine(tmp_path: Path) -> None:
    """Where it reports, it stores a device's id and what is to be sent in the user's cache."""
    theirs = ("ORT_", "CI", "XDG_")  # what turns its reports off, or moves the folder
    environment = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    subprocess.run([sys.executable, "-c", OPEN], check=True, env={**environment, "HOME": str(tmp_path)})
    assert not list(tmp_path.rglob("*"))
