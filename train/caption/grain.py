"""Noise such as clouds, cloth and paper have."""

from __future__ import annotations

import numpy as np


def grain(random: np.random.Generator, side: int, slope: float) -> np.ndarray:
    """Noise whose power falls with frequency, (side, side, 3), zero mean and one deviation."""
    across = np.fft.fftfreq(side)
    distance = np.hypot(across[:, None], across[None])
    distance[0, 0] = 1.0
    waves = random.normal(size=(side, side, 3)) + 1j * random.normal(size=(side, side, 3))
    made = np.fft.ifft2(waves / distance[..., None] ** slope, axes=(0, 1)).real
    made = 0.7 * made.mean(2, keepdims=True) + 0.3 * made
    return (made - made.mean()) / made.std()
