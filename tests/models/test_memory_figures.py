"""What the panel of models says of memory is what the operating system says, within a tenth."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest
from leasing import lease
from tiny import CHAT_TEMPLATE, byte_tokenizer, card, tiny_llama

from studio.devices.device import Device
from studio.devices.memory import collect
from studio.devices.peak_memory import private, private_of_all
from studio.engines.base import engine
from studio.manager import ModelManager, Spec

CPU = Device("cpu")
CGROUP = Path("/sys/fs/cgroup")


@pytest.fixture
def manager() -> Iterator[ModelManager]:
    made = ModelManager(CPU)
    yield made
    made.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """107 million weights in half precision: a processor casts them, so that no file backs them in memory."""
    folder = tmp_path_factory.mktemp("large")
    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", template=CHAT_TEMPLATE)
    tokenizer.save_pretrained(folder)
    model = tiny_llama(
        len(tokenizer), hidden_size=1024, intermediate_size=4096, num_hidden_layers=7, num_attention_heads=8
    )
    model.half().save_pretrained(folder)
    return folder


def spec(key: str, files: Path) -> Spec:
    one, kind = card("text", id=key), engine("text")
    return Spec(key, kind.weights(one, files), lambda report: kind.load(one, files, CPU, report))


def test_a_model_holds_what_its_row_says(large: Path, chat_folder: Path) -> None:
    # In a process that has run other tests, the weights first fill what those let go, and little of them is seen.
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        told, grown, left = fresh.submit(_held, large, chat_folder).result()
    assert told > 200_000_000
    assert told == pytest.approx(grown, rel=0.1)
    # What the libraries took for the first of this size stays, and the kernel fills gaps in a large heap up to whole
    # huge pages when it likes: tens of megabytes.
    assert left < told / 2


def _held(large: Path, small: Path) -> tuple[int, int, int]:
    """What the row of the large model says, what the process grew by, and by how much it is larger afterwards."""
    manager = ModelManager(CPU)
    with lease(manager, spec("small", small)):
        pass  # what the libraries take once is not this model's
    collect()
    before = private_of_all()
    with lease(manager, spec("large", large)):
        (found,) = [model for model in manager.status().models if model.key == "large"]
        grown = private_of_all() - before
    manager.evict("large")
    gone = threading.Event()
    manager.lane.put(gone.set)
    assert gone.wait(30)
    left = private_of_all() - before
    manager.close()
    return found.nbytes, grown, left


def test_the_bar_is_as_long_and_as_full_as_the_system_says(manager: ModelManager) -> None:
    status = manager.status()
    total, free = _system()
    assert status.total == pytest.approx(total, rel=0.1)
    assert status.free == pytest.approx(free, rel=0.1)


def test_what_the_studio_holds_for_itself_is_what_the_system_counts() -> None:
    if sys.platform == "linux":
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        counted = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))
    else:
        counted = psutil.Process().memory_full_info().uss
    assert private() == pytest.approx(counted, rel=0.1)
    assert private() <= private_of_all()


def _system() -> tuple[int, int]:
    """Total and free bytes, asked for in another way than the studio asks."""
    if sys.platform != "linux":
        return psutil.virtual_memory().total, psutil.virtual_memory().available
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    table = {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines}
    total, free = table["MemTotal"], table["MemAvailable"]
    for limit, used, prefix in (
        ("memory.max", "memory.current", ""),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_"),
    ):
        place = CGROUP / limit
        if place.exists() and (most := place.read_text().strip()) != "max" and int(most) < total:
            stat = place.with_name("memory.stat").read_text().splitlines()
            reclaimable = sum(
                int(line.split()[1])
                for line in stat
                if line.startswith((f"{prefix}inactive_file ", f"{prefix}active_file "))
            )
            total = int(most)
            free = min(free, total - int((CGROUP / used).read_text()) + reclaimable)
    return total, free
