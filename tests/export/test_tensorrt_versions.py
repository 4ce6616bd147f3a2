"""What we touch of TensorRT exists in the real bindings of 10.3 (JetPack 6), 10.16 (JetPack 7) and 11.

The bindings are imported over a stub library, so that every class can be looked at without a GPU. What one version
lacks must be asked for with getattr or hasattr, which this test does not see.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    "runtime/cmsn_runtime/backends/tensorrt/backend.py",
    "runtime/cmsn_runtime/backends/tensorrt/engine.py",
    "runtime/cmsn_runtime/backends/tensorrt/library.py",
    "export/cmsn_export/engine_building.py",
    "export/cmsn_export/engine_network.py",
    "export/cmsn_export/engine_progress.py",
]
# What our variables of these names are in TensorRT; "" is the module.
CLASSES = {
    "trt": "",
    "builder": "Builder",
    "cache": "ITimingCache",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "fault": "ParserError",
    "flags": "BuilderFlag",
    "known": "NetworkDefinitionCreationFlag",
    "layer": "ILayer",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "profile": "IOptimizationProfile",
    "runtime": "Runtime",
}
VERSIONS = ["10.3", "10.16", "11.4"]
STUBS = [
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
]
LOOK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import tensorrt_bindings as trt
missing = []
for path in json.loads(sys.argv[2]):
    found = trt
    for name in path.split("."):
        if not hasattr(found, name):
            missing.append(path)
            break
        found = getattr(found, name)
print(json.dumps({"missing": missing, "fp16": hasattr(trt.BuilderFlag, "FP16")}))
"""


def touched() -> set[str]:
    """ "Class.attribute" of everything our sources read, call or set on TensorRT's objects and enumerations."""
    return {path for source in SOURCES for path in _paths(ast.parse((ROOT / source).read_text(encoding="utf-8")))}


def _paths(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        names = [node.attr]
        value = node.value
        while isinstance(value, ast.Attribute) and value.attr not in CLASSES:
            names.append(value.attr)
            value = value.value
        owner = value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
        if owner in CLASSES and names[-1] not in ("__version__", "__name__"):
            # Of a class its attribute; of the module an enumeration and its member.
            path = [CLASSES[owner], names[-1]] if CLASSES[owner] else names[-1:-3:-1]
            yield ".".join(path)


@pytest.fixture(scope="module")
def bindings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bindings of each version unpacked, and stub libraries in `lib`."""
    wheels = Path(sys.prefix) / "bindings"
    compiler = shutil.which("cc")
    if compiler is None or not wheels.is_dir() or len(list(wheels.glob("*.whl"))) < len(VERSIONS):
        message = f"needs a C compiler and the wheels that `make test` fetches into {wheels}"
        if os.environ.get("CMSN_REQUIRE_BINDINGS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("bindings")
    for wheel in wheels.glob("*.whl"):
        version = ".".join(wheel.name.split("-")[1].split(".")[:2])
        zipfile.ZipFile(wheel).extractall(folder / version)
    (folder / "lib").mkdir()
    source = folder / "stub.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in STUBS), encoding="utf-8")
    for library in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
        for major in (10, 11):
            name = f"lib{library}.so.{major}"
            command = [
                compiler,
                "-shared",
                "-fPIC",
                f"-Wl,-soname,{name}",
                "-o",
                str(folder / "lib" / name),
                str(source),
            ]
            subprocess.run(command, check=True)
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_every_tensorrt_name_that_the_code_uses_exists_in_each_version(bindings: Path, version: str) -> None:
    paths = sorted(touched())
    assert len(paths) > 40
    assert {"IExecutionContext.execute_async_v3", "TensorIOMode.INPUT", "IBuilderConfig.progress_monitor"} <= set(paths)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(bindings / version), json.dumps(paths)],
        env={**os.environ, "LD_LIBRARY_PATH": str(bindings / "lib")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["missing"] == []
    assert found["fp16"] == (version != "11.4")  # the real thing, and not a stub that has everything


def test_every_cuda_bindings_name_that_the_code_uses_exists() -> None:
    """It imports without a driver, unlike pycuda."""
    driver = pytest.importorskip("cuda.bindings.driver")
    tree = ast.parse((ROOT / "runtime/cmsn_runtime/backends/tensorrt/capturing.py").read_text(encoding="utf-8"))
    names = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "_graphs"
    }
    assert {"cuStreamBeginCapture", "cuGraphLaunch", "CUstreamCaptureMode"} <= names
    assert [name for name in sorted(names) if not hasattr(driver, name)] == []
    assert driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL == 1
