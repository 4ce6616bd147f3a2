"""The runtime imports neither torch nor onnx nor anything of the other packages; `--help` waits for nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

FORBIDDEN = ["torch", "onnx", "lightning", "pydantic", "safetensors", "tensorrt", "pycuda", "matplotlib", "PIL", "ray"]
FORBIDDEN += ["paho", "urllib3"]
SISTERS = ["cmsn_training", "cmsn_export", "cmsn_calibration", "cmsn_benchmarks"]

IMPORT_ALL = """
import importlib, json, pkgutil, sys
for name in json.loads(sys.argv[1]):
    sys.modules[name] = None
import cmsn_runtime
found = pkgutil.walk_packages(cmsn_runtime.__path__, "cmsn_runtime.")
names = [module.name for module in found if not module.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
for name in cmsn_runtime.__all__:
    getattr(cmsn_runtime, name)
print(len(names))
"""

HELP = """
import sys
from cmsn_runtime.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
heavy = {"numba", "onnxruntime", "numpy", "av", "torch", "rich", "matplotlib"} & set(sys.modules)
print("HEAVY", sorted(heavy))
"""


def python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_imports_where_the_others_libraries_cannot() -> None:
    assert int(python(IMPORT_ALL, json.dumps(FORBIDDEN + SISTERS))) > 30


def test_help_lists_the_commands_and_imports_nothing_heavy() -> None:
    output = python(HELP)
    assert all(name in output for name in ("run", "inspect", "render", "train", "export"))
    assert output.strip().endswith("HEAVY []")


def test_an_unknown_attribute_of_the_package_is_an_attribute_error() -> None:
    assert "no attribute" in python(
        "import cmsn_runtime\ntry:\n cmsn_runtime.nothing\nexcept AttributeError as e: print(e)"
    )
