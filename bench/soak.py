"""The whole studio for long: killed again and again, asked for hundreds of jobs, and by thirty people at once.

    python bench/soak.py kills [--rounds 50] [--seed 1]        what is left after each kill -9
    python bench/soak.py jobs [--jobs 500]                     memory, files and threads
    python bench/soak.py clients [--seconds 600] [--each 0.2]  thirty strangers, and how long each waits

It uses stand-ins for models and prints one JSON object, in which `wrong` is empty where all is well. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from PIL import Image

from studio import instance
from studio.errors import StudioError
from studio.jobs import turns
from studio.library.presets import Preset
from studio.request_parts import Message
from studio.requests import ChatRequest, CodeRequest, ImageRequest, MusicRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.chat.conversation import Entry

PICTURE = ImageRequest(prompt="a lake", width=64, height=64, steps=1)
LITTER = re.compile(r"\.(part|tmp)\b|^tmp|~$")
WARM = 100
"""Jobs after which nothing grows any more: of those that are over as many are remembered."""


def opened(home: Path, **changes: Any) -> Studio:
    fixed: dict[str, Any] = {"demo": True, "home": home, "device": "cpu", "keep_free_gb": 0, "_env_file": None}
    studio = Studio(Settings(**{**fixed, **changes}))
    studio.clear()
    return studio


# ---- kills


def write_on(studio: Studio, dice: random.Random, told: Callable[[str, str], None]) -> None:
    """Write whatever a studio writes, until killed; `told` hears of what is kept."""
    number = dice.randrange(1 << 30)
    while True:
        number += 1
        match dice.randrange(6):
            case 0 | 1:
                made = studio.submit(replace(PICTURE, seed=number, count=dice.choice([1, 3]))).result()
            case 2:
                made = studio.submit(MusicRequest(prompt="a waltz", duration=1, seed=number)).result()
            case 3:
                made = studio.submit(CodeRequest(prefix="def add(a, b):\n")).result()
            case 4:
                chat = studio.chats.new()
                chat = replace(chat, messages=(Entry("user", f"question {number}"),))
                studio.say(chat, ChatRequest(messages=())).result()
                told("chat", chat.id)
                continue
            case _:
                studio.presets["image"].save(Preset(f"preset {number}", {"steps": number % 90 + 1}))
                told("preset", f"preset {number}")
                continue
        for file in made.files:
            told("file", studio.library.id(file))


def missing(studio: Studio, kept: list[tuple[str, str]]) -> list[str]:
    """What is lost or half of what was told to be kept, what lies about, and whether anything still works."""
    wrong: list[str] = []
    presets = {preset.name for preset in studio.presets["image"].all()}
    for kind, name in kept:
        try:
            if kind == "chat":
                chat = studio.chats.load(name)
                whole = [entry.role for entry in chat.messages] == ["user", "assistant"]
            elif kind == "preset":
                whole = name in presets
            else:
                file = studio.home.outputs / name
                whole = file.stat().st_size > 0
                if file.suffix == ".png":
                    with Image.open(file) as picture:
                        picture.load()
        except (OSError, StudioError) as error:
            whole = False
            wrong.append(f"{kind} {name}: {type(error).__name__}")
        if not whole:
            wrong.append(f"{kind} {name} is lost or half")
    for file in studio.home.root.rglob("*"):
        if file.is_file() and (LITTER.search(file.name) or (file.suffix == ".png" and not file.stat().st_size)):
            wrong.append(f"litter: {file.relative_to(studio.home.root)}")
    studio.queue.drop([one.id for one in studio.queue.earlier()])
    if not studio.submit(PICTURE).result().files:
        wrong.append("nothing works any more")
    return wrong


def kills(rounds: int, seed: int) -> dict[str, Any]:
    """A studio in a process of its own, killed while it writes, once a round; the next one looks at what is left."""
    instance._FRESH = 0.0  # for so long a studio counts as alive whose lock is free: longer than one lives here
    dice, kept, wrong = random.Random(seed), list[tuple[str, str]](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            moment, pause = dice.randrange(1 << 30), dice.uniform(0.0, 0.15)
            told, dead = _round(Path(folder), kept, moment, pause, last=number == rounds)
            for line in told:
                kind, _, name = line.partition(" ")
                if kind == "wrong":
                    wrong.append(f"round {number}: {name}")
                elif kind != "ready":
                    kept.append((kind, name))
            if not any(line.startswith("ready") for line in told) or not dead:
                wrong.append(f"round {number}: it did not come so far")
    return {"rounds": rounds, "kept": len(kept), "wrong": wrong}


def _round(home: Path, kept: list[tuple[str, str]], moment: int, pause: float, last: bool) -> tuple[list[str], bool]:
    """One studio: what it told, and whether it lived until it was to be killed."""
    reading, writing = os.pipe()
    child = os.fork()  # nothing else runs here: everything is imported once, and each studio begins in milliseconds
    if child == 0:
        os.close(reading)
        try:
            studio = opened(home)
            for line in missing(studio, kept):
                os.write(writing, f"wrong {line}\n".encode())
            os.write(writing, b"ready\n")
            if not last:
                write_on(studio, random.Random(moment), lambda *what: os.write(writing, f"{' '.join(what)}\n".encode()))
        except BaseException as error:
            os.write(writing, f"wrong {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    said, until = b"", time.monotonic() + 60.0
    while b"ready\n" not in said and time.monotonic() < until:
        if select.select([reading], [], [], 0.5)[0]:
            piece = os.read(reading, 1 << 16)
            if not piece:
                break
            said += piece
    if not last:
        time.sleep(pause)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while piece := os.read(reading, 1 << 16):
        said += piece
    os.close(reading)
    lines = said.decode().rpartition("\n")[0].splitlines()  # what is behind the last end of a line was being told
    return lines, last or os.WIFSIGNALED(status)


# ---- many jobs


def jobs(count: int) -> dict[str, Any]:
    """So many jobs in a row, and what they leave in the process."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as studio:
        process = psutil.Process()

        def now() -> tuple[float, int, int]:
            return process.memory_info().rss / 1e6, process.num_fds(), process.num_threads()

        before = now()
        for number in range(count):
            if number == WARM:
                before = now()
            said = ChatRequest(messages=(Message("user", f"hello {number}"),))
            request = replace(PICTURE, seed=number) if number % 2 else said
            studio.submit(request, f"browser {number % 7}").result()
        after = now()
    for what, most, first, last in zip(("MB", "files", "threads"), (20, 3, 3), before, after, strict=True):
        if last - first > most:
            wrong.append(f"{what}: {first:.0f} after {WARM} jobs, {last:.0f} after {count}")
    return {"jobs": count, "before": before, "after": after, "wrong": wrong}


# ---- many people


def clients(people: int, seconds: float, each: float) -> dict[str, Any]:
    """Strangers on a public studio, each of whom asks again as soon as there is an answer."""
    waits: dict[int, list[float]] = {number: [] for number in range(people)}
    ends = list[float]()
    worst = (0.0, 0.0)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), profile="space") as studio:
        card = replace(studio.catalog.cards["demo-chat"], options={"step_seconds": each / 40})
        object.__setattr__(studio.catalog, "cards", MappingProxyType({**studio.catalog.cards, "demo-chat": card}))
        end = time.monotonic() + seconds

        def visit(number: int) -> None:
            nonlocal worst
            request = ChatRequest(messages=(Message("user", f"marker-{number}-x"),))
            while time.monotonic() < end:
                began = time.monotonic()
                try:
                    with turns.asking(f"10.0.0.{number}", f"visitor {number}"):
                        said = studio.submit(request, f"visitor {number}").result().text
                except Exception as error:
                    wrong.append(f"visitor {number}: {type(error).__name__} {error}")
                    return
                ended = time.monotonic()
                waits[number].append(ended - began)
                ends.append(ended)
                worst = max(worst, (ended - began, began))
                if set(re.findall(r"marker-(\d+)-x", said)) != {str(number)}:
                    wrong.append(f"visitor {number} saw {said[:60]}")
                others = {job.session for job in studio.jobs(f"visitor {number}")} - {f"visitor {number}"}
                if others:
                    wrong.append(f"visitor {number} found jobs of {others}")

        threads = [threading.Thread(target=visit, args=(number,)) for number in waits]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    served = [statistics.mean(found) for found in waits.values() if found]
    if len(served) < people:
        wrong.append(f"{people - len(served)} were never served")
    elif max(served) > 2 * statistics.mean(served):
        wrong.append(f"somebody waited {max(served):.2f} s on average, all {statistics.mean(served):.2f} s")
    counts = [len(found) for found in waits.values()]
    longest, began = worst
    passed = sum(began < end < began + longest for end in ends)  # two rounds or more: it was not the machine alone
    means = [round(min(served), 2), round(statistics.mean(served), 2), round(max(served), 2)] if served else []
    return {
        "jobs": sum(counts), "each": [min(counts), max(counts)], "means": means, "longest": round(longest, 2),
        "served_meanwhile": passed, "wrong": wrong,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("kills", "jobs", "clients"))
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--each", type=float, default=0.2)
    asked = parser.parse_args()
    found = {
        "kills": lambda: kills(asked.rounds, asked.seed),
        "jobs": lambda: jobs(asked.jobs),
        "clients": lambda: clients(asked.people, asked.seconds, asked.each),
    }[asked.what]()
    print(json.dumps(found))
    return bool(found["wrong"])


if __name__ == "__main__":
    raise SystemExit(main())
