"""ONNX Runtime, on the CPU and on GPUs."""

import os

# From 1.29 on, its Linux builds send names and hashes of models to their maker, unless this is set before it is
# imported; `disable_telemetry_events` comes too late. https://github.com/microsoft/onnxruntime/pull/27379
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
