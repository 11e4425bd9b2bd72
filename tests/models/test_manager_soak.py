"""Thirty times loaded, used and let go through the real manager: nothing stays behind."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from leasing import lease
from tiny import Recorder, card

from studio.devices.device import Device
from studio.devices.peak_memory import private
from studio.engines.base import engine
from studio.manager import ModelManager, Spec
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest, Request

ROUNDS, WARM = 30, 10
CHAT = ChatRequest(
    messages=(Message("user", "hello"),), max_tokens=4, temperature=0.0, top_p=1.0, top_k=0, min_p=0.0,
    repetition_penalty=1.0, seed=1,
)  # fmt: skip
PICTURE = ImageRequest(prompt="a", width=64, height=64, steps=2, guidance_scale=2.0, seed=1, strength=0.5)


@dataclass(frozen=True)
class Case:
    """A kind of model, a request for it, and the part of it whose end is watched."""

    engine: str
    request: Request
    watched: Callable[[Any], Any]


CASES = {
    "text": Case("text", CHAT, lambda model: model._model),
    "diffusion": Case("diffusion", PICTURE, lambda model: model._family.pipe.unet),
}


@pytest.fixture
def manager() -> Any:
    made = ModelManager(Device("cpu"))
    yield made
    made.close()


@pytest.fixture
def places(chat_folder: Path, folders: dict[str, Path]) -> dict[str, Path]:
    return {"text": chat_folder, "diffusion": folders["stable_diffusion"]}


def settled(manager: ModelManager) -> None:
    done = threading.Event()
    manager.lane.put(done.set)
    assert done.wait(30)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", CASES)
def test_thirty_rounds_leave_nothing_behind(manager: ModelManager, places: dict[str, Path], name: str) -> None:
    case, files = CASES[name], places[name]
    one = card(case.engine)
    kind = engine(case.engine)
    wanted = Spec(name, kind.weights(one, files), lambda report: kind.load(one, files, Device("cpu"), report))
    ended: list[weakref.ref[Any]] = []
    memory: list[int] = []
    for _ in range(ROUNDS):
        with lease(manager, wanted) as model:
            ended.append(weakref.ref(case.watched(model)))
            assert model.run(case.request, Recorder())
        del model
        manager.evict()
        settled(manager)
        memory.append(private())
    gc.collect()
    assert [watched() for watched in ended] == [None] * ROUNDS
    growth = np.polyfit(range(ROUNDS - WARM), memory[WARM:], 1)[0] * (ROUNDS - WARM)
    assert growth < 6_000_000, f"{growth / 1e6:.1f} MB more after {ROUNDS - WARM} rounds"
    assert manager.status().charged == 0
