"""The precisions in which OpenVINO runs an extractor, and how far its features may then be from FP32."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cmsn_runtime.backends.openvino.library import CPU, capabilities, processor
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import FULL_PRECISION


@dataclass(frozen=True, slots=True)
class Precision:
    """hint: OpenVINO's INFERENCE_PRECISION_HINT. capability: its name of what the processor needs.

    variant: that of the bundle whose graphs run. limit: largest absolute difference of the features from those of the
    same graphs on ONNX Runtime, over their largest value.
    """

    name: str
    hint: str
    capability: str
    limit: float
    variant: str = FULL_PRECISION

    @property
    def described(self) -> str:
        """The precision, and that of what is not quantised."""
        return self.name if self.variant == FULL_PRECISION else f"{self.name} and {self.float32_as.upper()}"

    def on(self, device: str) -> Precision:
        """As it runs on a device: what a quantised graph leaves in FP32 takes the half precision that there is."""
        if self.variant == FULL_PRECISION:
            return self
        found = capabilities(device)
        half = next((item for item in (BF16, FP16) if item.capability in found), self)
        return replace(self, hint=half.hint)

    @property
    def float32_as(self) -> str:
        """The precision in which the graph's float32 is computed, as bundles call it."""
        return {"f32": FP32.name, "bf16": BF16.name, "f16": FP16.name}[self.hint].lower()

    def require(self, device: str) -> None:
        """Raise BackendError where the device lacks it."""
        found = capabilities(device)
        if self.capability not in found:
            raise BackendError(
                f"this {'processor' if device == CPU else device} ({processor(device)}) has no {self.name} in "
                f"OpenVINO, which lists {', '.join(sorted(found))}; take {_other(found, device)}"
            )


def _other(capabilities: frozenset[str], device: str) -> str:
    """A backend that computes in a precision that the device has."""
    if device == CPU or FP32.capability in capabilities:
        return f"--backend openvino{'' if device == CPU else f':{device}'}, which computes in FP32"
    return f"--backend openvino-fp16:{device}" if FP16.capability in capabilities else "another device"


FP32 = Precision("FP32", "f32", "FP32", 1e-5)
BF16 = Precision("BF16", "bf16", "BF16", 1e-2)
FP16 = Precision("FP16", "f16", "FP16", 1e-2)
# Graphs with quantisation inside; what they cost against FP32 is the bundle's to say. Both libraries round, and a value
# between two levels goes either way in one of them.
INT8 = Precision("INT8", "f32", "INT8", 5e-2, variant="int8")
