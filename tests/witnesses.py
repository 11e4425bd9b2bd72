"""Programs of others that read what we write. A test that needs one fails where it is missing, and says so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

_PACKAGES = {
    "ffmpeg": "ffmpeg", "ffprobe": "ffmpeg", "exiftool": "libimage-exiftool-perl", "abc2midi": "abcmidi",
    "mftext": "abcmidi",
}  # fmt: skip


def program(name: str) -> str:
    """Where a program of this name is."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"This test compares with {name}. On Debian: sudo apt install {_PACKAGES.get(name, name)}")
    return found


def heard(data: bytes, channels: int, rate: int) -> np.ndarray:
    """The sound of a file as ffmpeg decodes it: float32, (channels, frames). It must not have to convert anything."""
    command = [program("ffmpeg"), "-v", "error", "-i", "pipe:0", "-f", "f32le", "-ac", str(channels), "-ar", str(rate)]
    done = subprocess.run([*command, "pipe:1"], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, "<f4").reshape(-1, channels).T


def recorded(path: Path, samples: np.ndarray, rate: int, *options: str) -> bytes:
    """A file as ffmpeg writes it, in the format that its name says, from samples (channels, frames)."""
    command = [program("ffmpeg"), "-v", "error", "-y", "-f", "f32le", "-ac", str(samples.shape[0]), "-ar", str(rate)]
    raw = np.ascontiguousarray(samples.T, "<f4").tobytes()
    done = subprocess.run([*command, "-i", "pipe:0", *options, str(path)], input=raw, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return path.read_bytes()
