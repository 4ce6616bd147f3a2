"""The literals of a configuration that the networks and the losses share; importing them loads no torch."""

from __future__ import annotations

from typing import Literal

LossKind = Literal["softmax", "lmcl", "arcface", "vmcl", "vmcl-arc"]
MarginForm = Literal["worked-example", "printed"]
MarginSpace = Literal["cosine", "angle"]
PoolKind = Literal["average", "convolution"]
HeadKind = Literal["sigmoid", "vmcl"]
Missing = Literal["error", "skip"]
