"""The lab on this machine, with the starters in memory: seconds until each experiment shows something, and until a
slider that needs the model has its answer. The best and the middle of five runs each; then the least that the
processor had to do, which a busy machine does not change much.

    .venv/bin/python bench/lab.py
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image

from studio import settings
from studio.errors import StudioError
from studio.lab import noise, space, writes
from studio.lab.looking import Looker
from studio.lab.writes import Bent
from studio.service import Studio

ME = Looker("bench")
RUNS = 5


def picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(file, "PNG")
    return file.getvalue()


def timed(name: str, bound: float, act: Callable[[int], Any]) -> None:
    """Say how long something takes; the first run, which loads the model, is not counted."""
    try:
        first = act(0)
    except StudioError as error:
        print(f"{name}: {error.what('en')}")
        return
    if first is None:
        print(f"{name}: gave way; is something else running here?")
        return
    seconds, busy = [], []
    for run in range(1, RUNS + 1):
        began, before = time.perf_counter(), time.process_time()
        act(run)
        seconds.append(time.perf_counter() - began)
        busy.append(time.process_time() - before)
    figures = f"{min(seconds):6.3f} s {statistics.median(seconds):6.3f} s {min(busy):6.3f} s"
    print(f"{name:48} {figures}   bound {bound:g} s", flush=True)


def main() -> None:
    with Studio(settings.load()) as studio:
        lab, text = studio.lab, "The secret of a happy life is"
        print(f"{'':48}     best   middle      CPU")
        timed(
            "writes: the bars of a new beginning", 2, lambda run: writes.ahead(lab, f"Number {run}. {text}", [], "", ME)
        )
        first = writes.ahead(lab, text, [], "", ME)
        ids = [token.id for token in first.next.tokens] if first else [1]
        timed("writes: the bars behind one more token", 0.3, lambda run: writes.ahead(lab, text, [ids[run]], "", ME))
        for way in ("greedy", "sample", "beam"):
            timed(f"writes: {way}", 2, lambda run, way=way: writes.write(lab, way, text, [], "", Bent(), run, ME))
        timed(
            "noise: eight steps with all their pictures", 2, lambda run: noise.film(lab, noise.Wish("a cat", run), ME)
        )
        timed(
            "noise: a picture of the row, guided",
            2,
            lambda run: noise.picture(lab, noise.Wish("a cat", run, 4, 5.0), ME),
        )
        red, blue = picture("red"), picture("blue")
        timed("space: a walk of 17 pictures", 2, lambda _: space.walk(lab, red, blue, "", ME))
        timed("space: noise in nine strengths", 2, lambda run: space.noised(lab, red, run, "", ME))


if __name__ == "__main__":
    main()
