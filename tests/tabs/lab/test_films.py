"""Films of the lab, as ffmpeg reads them: as many frames as there were, what is in them, and how long each stands."""

from __future__ import annotations

import base64
import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_desk import BODIES, post
from witnesses import program

from studio.lab import gan
from studio.service import Studio
from tabs.lab import films
from tabs.lab import gan as page
from tabs.shared.asker import Asker

ASKER = Asker("somebody", "here", "en")


def read(address: str, folder: Path) -> tuple[np.ndarray, list[float]]:
    """uint8, (frames, height, width, 3), and the milliseconds that each frame stands; the last one's is not told."""
    head, _, body = address.partition(",")
    assert head == "data:image/gif;base64"
    file = folder / "film.gif"
    file.write_bytes(base64.b64decode(body))
    asked = ["-select_streams", "v", "-show_entries", "stream=width,height:frame=pts_time", "-of", "json", str(file)]
    said = json.loads(
        subprocess.run([program("ffprobe"), "-v", "error", *asked], check=True, capture_output=True).stdout
    )
    written = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    command = [program("ffmpeg"), "-v", "error", "-i", str(file), *written]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    stream, times = said["streams"][0], [float(one["pts_time"]) * 1000 for one in said["frames"]]
    shown = np.frombuffer(raw, np.uint8).reshape(-1, stream["height"], stream["width"], 3)
    assert len(shown) == len(times)
    return shown, [after - before for before, after in pairwise(times)]


def shades(count: int) -> list[Image.Image]:
    """Frames that a palette cannot hold whole: slopes of two colours, each brighter than the one before."""
    slope = np.linspace(0, 120, 64)[None, :, None] + np.linspace(0, 60, 48)[:, None, None] * np.array([1.0, 0.2, 0.5])
    return [Image.fromarray((slope + 70 * at / count).astype(np.uint8)) for at in range(count)]


def test_every_frame_is_there_and_looks_like_what_it_was(tmp_path: Path) -> None:
    given = shades(5)
    shown, stands = read(films.film(given, 200), tmp_path)
    assert [len(shown), *stands] == [5, *[pytest.approx(200)] * 4]
    for frame, one in zip(shown, given, strict=True):
        assert np.abs(frame.astype(int) - np.asarray(one)).mean() < 4


def test_there_and_back_it_rests_at_both_ends(tmp_path: Path) -> None:
    given = shades(4)
    shown, stands = read(films.film(given, there_and_back=True), tmp_path)
    assert stands == pytest.approx([films.HELD, films.PACE, films.PACE, films.HELD, films.PACE])
    for frame, at in zip(shown, (0, 1, 2, 3, 2, 1), strict=True):
        assert np.abs(frame.astype(int) - np.asarray(given[at])).mean() < 4


def test_one_frame_is_a_film_too(tmp_path: Path) -> None:
    for there_and_back in (False, True):
        assert len(read(films.film(shades(1), there_and_back=there_and_back), tmp_path)[0]) == 1


@pytest.mark.parametrize(("what", "count", "parts"), [("noise/moving", 4, 3), ("space/moving", 1, 2)])
def test_what_the_page_keeps_has_a_frame_for_every_step(
    studio: Studio, tmp_path: Path, what: str, count: int, parts: int
) -> None:
    body = BODIES[what.replace("moving", "film" if what.startswith("noise") else "walk")]
    shown, _ = read(post(studio, what, body).json()["film"], tmp_path)
    assert shown.shape == (count, 256, parts * 256 + (parts - 1) * 8, 3)  # from one picture to itself nothing moves


def test_the_film_of_the_training_is_the_one_on_the_page(tmp_path: Path) -> None:
    nobody: Any = None
    told = json.loads(bytes(page.training(nobody, {}, ASKER).body))
    shown, stands = read(told["film"], tmp_path)
    seen = gan.film()
    assert len(shown) == len(seen.told)
    assert shown.shape[1:] == (4 * seen.side, 4 * seen.side, 3)
    assert set(map(round, stands)) == {200}
