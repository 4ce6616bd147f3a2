"""What runs the networks."""

from __future__ import annotations

from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend, ExtractorState, FeatureWindow, StepFeatures

__all__ = ["UNKNOWN_LENGTH", "Backend", "ExtractorState", "FeatureWindow", "StepFeatures"]
