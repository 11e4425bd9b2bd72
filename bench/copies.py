"""What a copy in the precision of the processor saves, on a Stable Diffusion 1.5 of random weights in float16.

Loads it from its own files, which are cast, and from the copy, which is mapped, each twice in a process of its own, in
turn; the second load counts, and the median of the rounds. Prints seconds and the memory that no file stands behind,
also while it is parked, and what making the copy takes. Linux only: elsewhere nobody tells. Needs 8 GB of disk.

    python bench/copies.py [--rounds 3] [--cold]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from big import big_card, big_model

from studio.devices import memory
from studio.devices.device import Device
from studio.engines.image.diffusion import DiffusionEngine
from studio.store.upcast_cache import Copies


def anonymous() -> int:
    """Bytes of this process that no file stands behind."""
    memory.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def forget(folder: Path) -> None:
    """Have the next load read from the disk."""
    os.sync()
    for file in folder.rglob("*.safetensors"):
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def child(folder: Path, card_folder: Path, cold: bool) -> None:
    """Load twice and tell about the second time."""
    card = big_card(card_folder, "image")
    DiffusionEngine().load(card, folder, Device("cpu"), lambda _: None).close()
    if cold:
        forget(folder)
    before, began = anonymous(), time.perf_counter()
    model = DiffusionEngine().load(card, folder, Device("cpu"), lambda _: None)
    seconds = time.perf_counter() - began
    print(json.dumps([seconds, (anonymous() - before) / 1e6, (model.parked_nbytes() or 0) / 1e6]))


def measured(folder: Path, files: Path, cold: bool) -> list[float]:
    command = [sys.executable, __file__, "--child", str(folder), "--files", str(files), *(["--cold"] if cold else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="read from the disk, not from the system's cache")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.files, options.cold)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        files = Path(place) / "files"
        card = big_model(files, "image")
        began = time.perf_counter()
        copy = Copies(Path(place) / "copies", most=1 << 40, total=1 << 40).folder(
            DiffusionEngine(), card, files, "cpu", lambda _: None
        )
        print(f"making the copy   {time.perf_counter() - began:6.1f} s")
        found: dict[str, list[list[float]]] = {"its own files": [], "the copy": []}
        for _ in range(options.rounds):
            for name, folder in (("its own files", files), ("the copy", copy)):
                found[name].append(measured(folder, files, options.cold))
        for name, rounds in found.items():
            seconds, memory, parked = (statistics.median(column) for column in zip(*rounds, strict=True))
            print(f"{name:16}  {seconds:6.2f} s  {memory:6.0f} MB of memory, {parked:.0f} MB while parked")


if __name__ == "__main__":
    main()
