"""Kills the studio's library in the middle of its work, again and again, and looks at what is left each time.

A process of its own writes pictures, pieces, captions, completions and conversations, marks them, deletes and brings
back; it is killed at a moment that nobody chose. Then the library opens, every row's file is there and whole, no file
is half or temporary, what was marked stays marked, and an index made anew is the same.

    python bench/library_soak.py [--rounds 50] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from studio.errors import StudioError
from studio.instance import Instance
from studio.library.archive import Archive
from studio.library.chats import Chats
from studio.library.index import Query
from studio.library.outputs import Library
from studio.media.audio import decode_audio
from studio.paths import Home
from studio.recipes import recipe
from studio.requests import Task
from studio.results import Audio, Output
from studio.tasks.chat.conversation import Entry

MADE: tuple[Task, ...] = ("image", "music", "caption", "code")


def opened(place: Path) -> tuple[Home, Library, Chats, Archive]:
    home = Home.at(place)
    library, chats = Library(home), Chats(home.chats)
    archive = Archive(home, chats, library.stars)
    library.told = archive.noted
    return home, library, chats, archive


def output(task: Task, number: int) -> Output:
    if task == "image":
        return Output(images=(Image.new("RGB", (64, 64), (number % 256, 80, 40)),) * 2, seeds=(number, number + 1))
    if task == "music":
        return Output(audio=(Audio(np.zeros((1, 4000), np.float32), 8000, midi=b"MThd"),), seeds=(number,))
    return Output(text=f"a red house, number {number}\n" * 20, seeds=(number,))


def write_on(place: Path, seed: int) -> None:
    """Write until killed."""
    _, library, chats, archive = opened(place)
    at, number, tokens = random.Random(seed), seed * 100_000, list[str]()
    print("begun", flush=True)
    while True:
        number += 1
        task = MADE[number % len(MADE)]
        made = {
            "format": recipe.FORMAT, "task": task, "seed": number,
            "made": f"2026-01-{number % 28 + 1:02}T12:00:00+00:00",
            "model": {"id": "m", "title": "M", "revision": "", "licence": "MIT", "licence_url": "", "commercial": True},
            "parameters": {"prompt": f"a house 房子 {number}", "count": 1, "language": "python"}, "software": {},
            "device": "cpu", "finish": "stop", "seconds": 0.1,
        }  # fmt: skip
        id = library.id(library.save(task, output(task, number), made).files[0])
        archive.tag([id], [f"tag {number % 5}"])
        archive.star([id], True)
        print(id, flush=True)
        chat = chats.new()
        chats.save(type(chat)(id=chat.id, messages=(Entry("user", f"hello {number}"),)))
        archive.sync()
        items = archive.page(Query(), limit=20).items
        if number % 3 == 0:
            tokens.append(archive.delete([one.id for one in at.sample(items, min(2, len(items)))]))
        if number % 7 == 0 and tokens:
            archive.restore(tokens.pop())


def look(place: Path, kept: set[str]) -> list[str]:
    """What is wrong with a home whose studio was killed."""
    home, _, chats, archive = opened(place)
    instance = Instance(home)
    instance.clear()
    wrong = [f"left over: {file}" for file in home.root.rglob("*.part")]
    archive.sync()
    after, ids, tagged = "", set[str](), set[str]()
    while True:
        page = archive.page(Query(), after, 500)
        for item in page.items:
            ids.add(item.id)
            tagged |= {item.id} if item.star and item.tags else set()
            try:
                file = archive.file(item.id)
                data = file.read_bytes()
                if item.kind == "picture":
                    with Image.open(file) as picture:
                        picture.load()
                elif item.kind == "sound":
                    decode_audio(data)
                elif item.kind == "chat":
                    chats.load(file.stem)
                if item.kind != "chat" and archive.recipe(item.id) is None:
                    wrong.append(f"without recipe: {item.id}")
            except (StudioError, OSError, ValueError) as error:
                wrong.append(f"{item.id}: {error}")
        after = page.following
        if not after:
            break
    there = {file.relative_to(home.outputs).as_posix() for file in home.outputs.rglob("*") if file.is_file()}
    there = {id for id in there if not id.startswith(".") and not id.endswith((".json", ".mid"))}
    wrong += [f"not a row: {id}" for id in there - ids]
    thrown = {id for one in archive.trash.all() for id in one.ids}
    wrong += [f"lost: {id}" for id in kept - ids - thrown]
    wrong += [f"mark lost: {id}" for id in (kept & ids) - tagged]
    before = archive.dump()
    archive.rebuild()
    if before != archive.dump():
        wrong.append("the index made anew is another one")
    for one in archive.trash.all():
        archive.restore(one.token)
    archive.sync()
    wrong += [f"lost in the trash: {id}" for id in thrown if archive.page(Query(), limit=1) and not _there(archive, id)]
    archive.close()
    instance.close()
    return wrong


def _there(archive: Archive, id: str) -> bool:
    try:
        return bool(archive.item(id))
    except StudioError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", type=Path)
    given = parser.parse_args()
    if given.child:
        write_on(given.child, given.seed)
    place, at, kept, wrong = Path(tempfile.mkdtemp()), random.Random(given.seed), set[str](), list[str]()
    try:
        for round_ in range(given.rounds):
            command = [sys.executable, __file__, "--child", str(place), "--seed", str(given.seed + round_)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(at.uniform(0.02, 0.6))
            child.kill()
            # What was printed whole had been written, tagged and starred.
            said = child.stdout.read()
            kept |= set(said[: said.rfind("\n") + 1].splitlines())
            child.wait()
            wrong += [f"round {round_}: {one}" for one in look(place, kept)]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(json.dumps({"rounds": given.rounds, "written": len(kept), "wrong": wrong}, ensure_ascii=False, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
