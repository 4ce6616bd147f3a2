"""From a trained model to a bundle folder that either is whole and true to torch, or is not there."""

from __future__ import annotations
