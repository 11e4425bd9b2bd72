"""How fast the library is: a hundred thousand rows searched, ten thousand small files of every kind read and paged.

Prints seconds beside what LIKE over a bare table of the same words takes in the same run. A search of 100,000 rows has
to be answered within 0.1 s, a first page of 10,000 files within 0.3 s; the exit code is 1 where one is not.

    python bench/library.py [--rows 100000] [--files 10000]
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.library.archive import Archive
from studio.library.chats import Chats
from studio.library.index import Index, Query
from studio.library.items import Item, folded
from studio.library.outputs import Library
from studio.paths import Home
from studio.recipes import recipe
from studio.results import Output

SEARCH, FIRST = 0.1, 0.3
WORDS = (
    "red", "blue", "house", "fox", "forest", "river", "dawn", "狐狸", "森林", "黄昏", "雨", "城市", "piano", "violin",
    "reel", "calm", "storm", "glass", "tower", "boat", "lamp", "winter",
)  # fmt: skip
QUESTIONS = ("zebra", "狐狸", "狐狸 fox", "nothing of the kind", "winter lamp 雨", "50%")
_ROUNDS = 5


def best(of: Callable[[], Any]) -> float:
    """Seconds of the quickest of several rounds."""
    found = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        of()
        found.append(time.perf_counter() - began)
    return min(found)


def sentence(at: random.Random, number: int) -> str:
    return " ".join(at.choice(WORDS) for _ in range(40)) + (" zebra" if number % 5000 == 7 else "")


def rows(count: int, folder: Path) -> bool:
    """The index alone; whether it is quick enough."""
    index, at, bare = Index(folder / "index.sqlite"), random.Random(1), sqlite3.connect(folder / "bare.sqlite")
    bare.execute("CREATE TABLE words (text TEXT)")
    began = time.perf_counter()
    for begin in range(0, count, 1000):
        some = []
        for number in range(begin, min(begin + 1000, count)):
            words = sentence(at, number)
            item = Item(f"image/2026-01-31/{number:06}.png", "image", "picture", 1_700_000_000_000 + number * 1000,
                        words[:100], f"m{number % 7}", f"Model {number % 7}", folded(words), 1000, "1 1 0")  # fmt: skip
            some.append(("image/2026-01-31", item))
        index.put(some)
        bare.executemany("INSERT INTO words VALUES (?)", [(item.words,) for _, item in some])
    bare.commit()
    size = (folder / "index.sqlite").stat().st_size
    print(f"{count} rows written in {time.perf_counter() - began:.1f} s, {size / 1e6:.0f} MB")
    print(f"first page {best(lambda: index.page(Query())) * 1000:.1f} ms, "
          f"with the count {best(lambda: index.page(Query(), count=True)) * 1000:.1f} ms, "
          f"models {best(index.models) * 1000:.1f} ms")  # fmt: skip
    worst = 0.0
    for question in QUESTIONS:
        ours = best(lambda question=question: index.page(Query(question), count=True))
        like = " AND ".join("text LIKE ?" for _ in question.split())
        values = [f"%{word}%" for word in question.split()]
        theirs = best(
            lambda like=like, values=values: bare.execute(f"SELECT count(*) FROM words WHERE {like}", values).fetchone()
        )
        worst = max(worst, ours)
        found = index.page(Query(question), count=True).count
        print(f"{question!r}: {found} found, page and count {ours * 1000:.1f} ms (LIKE alone {theirs * 1000:.1f} ms)")
    print(f"slowest search {worst * 1000:.1f} ms, at most {SEARCH * 1000:.0f}")
    index.close()
    return worst <= SEARCH


def files(count: int, folder: Path) -> bool:
    """Real files, through the archive; whether its first page is quick enough."""
    from PIL import Image

    home, at = Home.at(folder / "home"), random.Random(2)
    library, chats = Library(home), Chats(home.chats)
    archive = Archive(home, chats, library.stars)
    picture = Image.new("RGB", (16, 16), (90, 120, 60))
    began = time.perf_counter()
    for number in range(count):
        made = {
            "format": recipe.FORMAT, "task": "image", "seed": number,
            "made": f"2026-01-{number % 28 + 1:02}T12:00:00+00:00",
            "model": {"id": "m", "title": "M", "revision": "", "licence": "MIT", "licence_url": "", "commercial": True},
            "parameters": {"prompt": sentence(at, number)}, "software": {}, "device": "cpu", "finish": "stop",
            "seconds": 0.1,
        }  # fmt: skip
        library.save("image", Output(images=(picture,), seeds=(number,)), made)
    print(f"{count} files written in {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    archive.sync()
    print(f"read for the first time in {time.perf_counter() - began:.1f} s")

    def first() -> None:
        archive.sync()
        archive.page(Query(), count=True)
        archive.models()
        archive.tasks()
        archive.labels()

    seconds = best(first)
    print(f"looked at again, and the first page with all it shows: {seconds * 1000:.1f} ms, at most {FIRST * 1000:.0f}")
    before, began = archive.dump(), time.perf_counter()
    archive.rebuild()
    print(f"rebuilt in {time.perf_counter() - began:.1f} s, {'equal' if before == archive.dump() else 'NOT EQUAL'}")
    equal = before == archive.dump()
    archive.close()
    return seconds <= FIRST and equal


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=10_000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        done = [rows(given.rows, folder), files(given.files, folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
