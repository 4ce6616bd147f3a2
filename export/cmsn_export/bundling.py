"""From a trained model to a bundle folder that either is whole and true to torch, or is not there."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cmsn_export.graphs import OPSET, build_graphs
from cmsn_export.parity import TOLERANCE, measure_parity
from cmsn_runtime.errors import BundleError
from cmsn_training.config import TrainingConfig
from cmsn_training.models.cmsn import load_model
from cmsn_training.models.incremental import DELAY_STEPS, receptive_field_frames
