"""Sound that is heard while it is made: it grows at one end and is read from the other, by any number of listeners."""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_UNKNOWN = 0xFFFFFFFF


class Live:
    """One run's sound so far, as 16-bit PCM. Safe to use from several threads.

    Args:
        rate: frames a second.
        channels: 1 or 2.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self.ended = False
        self._data = bytearray()
        self._lock = threading.Lock()

    def add(self, samples: np.ndarray) -> None:
        """What comes next: float, (channels, frames), -1..1; what passes that is cut."""
        import numpy as np

        frames = np.rint(np.clip(np.nan_to_num(samples), -1, 1).T * 32767).astype("<i2")
        with self._lock:
            self._data += frames.tobytes()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True

    def read(self, at: int) -> bytes:
        """Everything from byte `at` of the PCM on; empty where nothing is new."""
        with self._lock:
            return bytes(self._data[at:])

    def head(self) -> bytes:
        """The beginning of a WAV file whose length nobody knows yet."""
        width = self.channels * 2
        form = struct.pack("<HHIIHH", 1, self.channels, self.rate, self.rate * width, width, 16)
        return (
            struct.pack("<4sI4s4sI", b"RIFF", _UNKNOWN, b"WAVE", b"fmt ", len(form))
            + form
            + struct.pack("<4sI", b"data", _UNKNOWN)
        )
