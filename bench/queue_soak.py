"""Kills the studio in the middle of its queue, again and again, and looks at what the next one finds each time.

A process of its own asks for pictures, some of them over others, moves them, puts them on hold, takes some out, and
goes on with those that it found; it is killed at a moment that nobody chose. Then every job that was taken in is there,
whole with its picture, or its output is; what was said to wait has none; and no file is half, temporary or of the dead.

    python bench/queue_soak.py [--rounds 50] [--seed 1]
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PIL import Image

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.library import scan
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings

STEP = 0.01
"""Seconds that a step takes: some jobs end, and many wait."""


def opened(place: Path) -> Studio:
    settings = Settings(
        demo=True, home=place, keep_free_gb=0, max_queue=1000, max_jobs_per_session=100,
        _env_file=None,  # pyright: ignore
    )  # fmt: skip
    studio = Studio(settings)
    cards = {id: replace(card, options={"step_seconds": STEP}) for id, card in studio.catalog.cards.items()}
    studio.catalog = studio._intake._catalog = replace(studio.catalog, cards=MappingProxyType(cards))
    return studio


def picture(title: str) -> bytes:
    """The picture that a job of this title is painted over; none for every other one."""
    number = int(title.split()[1])
    if number % 2:
        return b""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (number % 256, number // 256 % 256, 40)).save(buffer, "PNG")
    return buffer.getvalue()


def asked(title: str) -> ImageRequest:
    image = picture(title)
    return ImageRequest(prompt=title, steps=4, width=64, height=64, image=image, strength=0.5 if image else None)


def write_on(place: Path, seed: int) -> None:
    """Ask until killed. What is to be counted on is told after it is done, what is not before."""
    dice, number = random.Random(seed), seed * 100_000
    studio = opened(place)
    print("begun", flush=True)
    studio.clear()
    board = studio.queue
    left = list(board.earlier())
    for one in dice.sample(left, len(left) // 6):
        print("gone", one.title, flush=True)
        board.drop([one.id])
    with suppress(StudioError):
        board.go_on([one.id for one in dice.sample(left, len(left) // 2)], "me")
    mine: list[Job] = []
    while True:
        number += 1
        title = f"job {number}"
        with suppress(StudioError):  # too many wait
            mine.append(studio.submit(asked(title), "me"))
            print("asked", title, flush=True)
        waiting = [row.job for row in board.rows("me") if row.waits]
        if waiting:
            one = dice.choice(waiting)
            with suppress(StudioError):
                board.move(one.id, "me", dice.choice(["up", "down", "front"]))  # pyright: ignore
                board.hold(one.id, "me", dice.random() < 0.3)
            if dice.random() < 0.2:
                print("gone", one.title, flush=True)
                board.cancel(one.id, "me")
        time.sleep(dice.random() * 0.02)


def look(place: Path, expected: set[str], counts: Counter[str]) -> list[str]:
    """What is wrong with a home whose studio was killed."""
    studio = opened(place)
    try:
        studio.clear()
        wrong = [f"left over: {file}" for file in place.rglob("*.part")]
        folders = [folder for folder in studio.home.queue.glob("*") if folder.name != studio.instance.id]
        wrong += [f"of the dead: {folder}" for folder in folders]
        earlier = studio.queue.earlier()
        made = {
            str(found["parameters"]["prompt"])
            for file in studio.home.outputs.rglob("*.png")
            if (found := scan.recipe_of(file, "image")) is not None
        }
        for one in earlier:
            assert studio._runner.durable is not None
            try:
                if getattr(studio._runner.durable.asked(one.id).request, "image", b"") != picture(one.title):
                    wrong.append(f"another picture: {one.title}")
            except StudioError as error:
                wrong.append(f"{one.title}: {error}")
        titles = Counter(one.title for one in earlier)
        wrong += [f"lost: {title}" for title in expected - set(titles) - made]
        wrong += [f"there twice: {title}" for title, number in titles.items() if number > 1]
        wrong += [f"waits and is made: {one.title}" for one in earlier if not one.ran and one.title in made]
        counts["waited"] += sum(not one.ran for one in earlier)
        counts["ran"] += sum(one.ran for one in earlier)
        counts["made"] = len(made)
        return wrong
    finally:
        studio.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    asked_for = parser.parse_args()
    if asked_for.write:
        write_on(asked_for.write, asked_for.seed)
        return 0
    place, dice = Path(tempfile.mkdtemp()), random.Random(asked_for.seed)
    expected, counts, bad = set[str](), Counter[str](), 0
    try:
        for number in range(asked_for.rounds):
            seed = asked_for.seed * 1000 + number
            command = [sys.executable, __file__, "--write", str(place), "--seed", str(seed)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
                assert child.stdout is not None
                child.stdout.readline()  # begun
                time.sleep(dice.random() * 1.5)
                child.kill()
                for line in child.stdout.read().splitlines():
                    what, _, title = line.partition(" ")
                    (expected.add if what == "asked" else expected.discard)(title)
            for lock in place.glob("cache/instances/*/lock"):
                os.utime(lock, (0, 0))  # a lock that was made a moment ago counts as held, and this one is not
            wrong = look(place, expected, counts)
            bad += len(wrong)
            for one in wrong:
                print(f"round {number}: {one}", flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(
        f"{asked_for.rounds} rounds: {len(expected)} jobs counted on, {counts['made']} pictures, "
        f"{counts['waited']} times one waited and {counts['ran']} times one ran when it was killed; {bad} wrong"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
