"""`cmsn bench` runs on devices: it needs neither torch nor onnx, nor the packages that do."""

from __future__ import annotations

import json
import subprocess
import sys

FORBIDDEN = ["torch", "onnx", "lightning", "pydantic", "safetensors", "tensorrt", "pycuda", "matplotlib", "pynvml"]
FORBIDDEN += ["psutil", "cmsn_training", "cmsn_export", "cmsn_calibration"]
IMPORT_ALL = """
import importlib, json, pkgutil, sys
for name in json.loads(sys.argv[1]):
    sys.modules[name] = None
import cmsn_benchmarks.device, cmsn_benchmarks.commands
count = 0
for package in (cmsn_benchmarks.device, cmsn_benchmarks.commands):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        count += 1
print(count)
"""
COMMAND = """
import sys
import cmsn_benchmarks.commands.bench
print(sorted({"numba", "onnxruntime", "numpy", "av", "torch", "rich", "matplotlib"} & set(sys.modules)))
"""


def python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_everything_that_measures_imports_where_the_libraries_of_training_and_export_cannot() -> None:
    assert int(python(IMPORT_ALL, json.dumps(FORBIDDEN))) > 12


def test_help_waits_for_nothing_heavy() -> None:
    assert python(COMMAND) == "[]"
