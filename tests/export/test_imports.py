"""Building an engine happens on the device: what does it imports neither torch nor onnx, nor anything that does."""

from __future__ import annotations

import subprocess
import sys

MODULES = [
    "cmsn_export.building",
    "cmsn_export.engine_building",
    "cmsn_export.engine_network",
    "cmsn_export.engine_progress",
    "cmsn_export.commands.build",
]
IMPORT = """
import importlib, sys
for name in ("torch", "onnx", "lightning", "pydantic", "safetensors", "tensorrt", "pycuda", "cmsn_training"):
    sys.modules[name] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
print(len(sys.argv) - 1)
"""


def test_the_builder_needs_neither_torch_nor_onnx() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT, *MODULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(len(MODULES))
