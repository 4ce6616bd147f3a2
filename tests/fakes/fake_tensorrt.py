"""A module that stands for TensorRT of a chosen version, on a simulated machine."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from fake_trt_builder import Builder, IBuilderConfig, INetworkDefinition, IOptimizationProfile, ITimingCache, OnnxParser
from fake_trt_library import ILogger, IProgressMonitor, Library, Logger
from fake_trt_plan import Dims, HostMemory
from fake_trt_runtime import ICudaEngine, IExecutionContext, Runtime

__all__ = ["FakeTensorRT"]

_NAMES = ("tensorrt", "tensorrt_lean", "tensorrt_dispatch", "tensorrt_rtx")
_BUILDING = ("BuilderFlag", "NetworkDefinitionCreationFlag", "MemoryPoolType", "LayerType", "ErrorCode", "TacticSource")


class FakeTensorRT(Library):
    """See Library for the settings."""

    def module(self) -> ModuleType:
        """The module `tensorrt`, or `tensorrt_lean`."""
        module = ModuleType("tensorrt_lean" if self.lean else "tensorrt", "A simulated TensorRT.")
        vars(module).update({**self._running(), **({} if self.lean else self._building())})
        return module

    def install(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        """Put the module where imports find it, and no other TensorRT, installed or not."""
        module = self.module()
        for name in _NAMES:
            monkeypatch.setitem(sys.modules, name, module if name == module.__name__ else None)
        return module

    def _running(self) -> dict[str, Any]:
        enumerations = {name: value for name, value in self.enumerations.items() if name not in _BUILDING}
        return {
            "__version__": self.version,
            "ILogger": ILogger,
            "Logger": Logger,
            "Runtime": type("Runtime", (Runtime,), {"library": self, "__slots__": ()}),
            "ICudaEngine": ICudaEngine,
            "IExecutionContext": IExecutionContext,
            "IHostMemory": HostMemory,
            "Dims": Dims,
            **enumerations,
        }

    def _building(self) -> dict[str, Any]:
        contents: dict[str, Any] = {
            "Builder": type("Builder", (Builder,), {"library": self}),
            "OnnxParser": OnnxParser,
            "INetworkDefinition": INetworkDefinition,
            "IBuilderConfig": IBuilderConfig,
            "IOptimizationProfile": IOptimizationProfile,
            "ITimingCache": ITimingCache,
            **{name: self.enumerations[name] for name in _BUILDING},
        }
        return contents if self.major < 10 else {**contents, "IProgressMonitor": IProgressMonitor}
