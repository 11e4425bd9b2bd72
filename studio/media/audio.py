"""Sound files of strangers into samples, and samples as whole numbers.

libsndfile decodes; every file is measured before any sample is read.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.media import recordings

if TYPE_CHECKING:
    import numpy as np

    from studio.results import Audio

MAX_SAMPLES = 100_000_000
MAX_CHANNELS = 8
LOWEST_RATE, HIGHEST_RATE = 4_000, 192_000


def pcm16(audio: Audio) -> np.ndarray:
    """Samples as int16, shape (frames, channels). Non-finite ones become silence.

    The level stays as it is; only where the peak passes full scale the whole piece is turned down to fit.
    """
    import numpy as np

    samples = np.nan_to_num(np.asarray(audio.samples, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > 1.0:
        samples = samples / peak
    return np.ascontiguousarray(np.rint(samples * 32767.0).astype("<i2").T)


def measure(data: bytes, max_samples: int = MAX_SAMPLES) -> float:
    """Seconds of sound in a file, by its header alone. Raises StudioError as `decode_audio`."""
    with _opened(data, max_samples) as file:
        return file.frames / file.samplerate


def decode_audio(data: bytes, max_samples: int = MAX_SAMPLES) -> Audio:
    """The sound in a WAV (also RF64, W64 and unfinished ones), FLAC, MP3, Ogg, AIFF, CAF, AU or WebM file.

    Args:
        data: the bytes of the file, from anybody.
        max_samples: refused above this many samples over all channels, before any is decoded.

    Raises:
        StudioError: audio_format: another format. bad_audio: cut short, empty, too long, or samples that are no
            numbers.
    """
    import numpy as np

    from studio.results import Audio

    with _opened(data, max_samples) as file:
        expected = file.frames
        samples = file.read(dtype="float32", always_2d=True)
        rate = file.samplerate
    if len(samples) < expected or not np.isfinite(samples).all():
        raise StudioError("bad_audio")
    return Audio(samples.T, rate)


@contextlib.contextmanager
def _opened(data: bytes, max_samples: int) -> Iterator[Any]:
    """The file behind its header, whose sizes are what we take. Whatever libsndfile objects to is bad_audio."""
    import soundfile

    format = recordings.kind(data)
    if format and format not in recordings.READ:
        raise StudioError("audio_format", format=format)
    sound = recordings.whole(data) if format else None
    if sound is None:
        encoded = recordings.unread(data)
        raise StudioError("audio_format", format=encoded) if encoded else StudioError("bad_audio")
    try:
        with soundfile.SoundFile(io.BytesIO(sound)) as file:
            if not 0 < file.frames * file.channels <= max_samples or file.channels > MAX_CHANNELS:
                raise StudioError("bad_audio")
            if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
                raise StudioError("bad_audio")
            yield file
    except soundfile.LibsndfileError:
        if encoded := recordings.unread(data):
            raise StudioError("audio_format", format=encoded) from None
        raise StudioError("bad_audio") from None
    except (soundfile.SoundFileError, RuntimeError, ValueError, MemoryError):
        raise StudioError("bad_audio") from None
