"""Principal components of rows, as one linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError

Rows = npt.NDArray[np.float32]

_LEAST_DEVIATION = 1e-6  # a value that never changes carries no information


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """rows @ weight.T + bias. weight: float32 [components, width]. bias: float32 [components]."""

    weight: Rows
    bias: Rows

    def of(self, rows: Rows) -> Rows:
        """Rows float32 [T, width] -> [T, components]."""
        projected: Rows = (rows @ self.weight.T + self.bias).astype(np.float32)
        return projected


def principal_components(videos: Sequence[Rows], count: int) -> Projection:
    """The directions in which the standardised rows vary most; each component has mean 0 and deviation 1 over them.

    Raises SettingsError where the rows vary in fewer directions.
    """
    number = sum(len(rows) for rows in videos)
    mean = sum(rows.sum(axis=0, dtype=np.float64) for rows in videos) / number
    variance = sum(((rows - mean) ** 2).sum(axis=0) for rows in videos) / number
    deviation = np.where(variance > _LEAST_DEVIATION**2, np.sqrt(variance), np.inf)
    covariance = sum(_outer((rows - mean) / deviation) for rows in videos) / number
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    if not values.min() > 1e-9 * values.max():
        found = int((values > 1e-9 * values.max()).sum())
        raise SettingsError(f"extractor.components is {count}; the rows vary in {found} directions; keep fewer")
    # The sign of an eigenvector is arbitrary: its largest value is positive, so that the same rows give the same.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])
    weight = (vectors * signs / np.sqrt(values)).T / deviation
    return Projection(weight.astype(np.float32), -(weight @ mean).astype(np.float32))


def _outer(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    product: npt.NDArray[np.float64] = rows.T @ rows
    return product
