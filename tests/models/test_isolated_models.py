"""Real classes in a process of their own: the same result as in ours, and all of the memory back in the end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny import CHAT_TEMPLATE, CPU, Recorder, card
from tiny import load as load_here
from tiny_gguf import gguf_of
from tiny_pipelines import pixels

from studio.engines.base import CountsConversation, KeepsForm
from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.text.llama import LlamaEngine
from studio.engines.text.transformers_lm import TextEngine
from studio.errors import Cancelled, StudioError
from studio.manager.backends.process import proxy
from studio.manager.backends.process.proxy import Isolated
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest
from studio.tasks.chat import structured

ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=6, guidance_scale=4.0, count=2, seed=5)
SAY = ChatRequest(
    messages=(Message("user", "hello"),), max_tokens=12, temperature=0.7, top_p=1.0, top_k=0, min_p=0.0,
    repetition_penalty=1.0, seed=1,
)  # fmt: skip


def load(engine: str, files: Path, **changes: Any) -> Isolated:
    return proxy.load(card(engine, **changes), files, CPU, lambda _: None)


@pytest.fixture(scope="module")
def painter(folders: dict[str, Path]) -> Iterator[Isolated]:
    model = load("diffusion", folders["icons"])
    yield model
    model.close()


@pytest.fixture(scope="module")
def talker(chat_folder: Path) -> Iterator[Isolated]:
    model = load("text", chat_folder, options={"dtype": "float32"})
    yield model
    model.close()


def test_pictures_are_the_same_to_the_last_bit(painter: Isolated, folders: dict[str, Path]) -> None:
    here, told = load_here(DiffusionEngine(), folders["icons"]), Recorder()
    there = painter.run(ASK, told)
    assert pixels(there) == pixels(here.run(ASK, Recorder()))
    assert (there.seeds, painter.nbytes()) == ((5, 6), here.nbytes())
    assert told.steps[-1][0] == told.steps[-1][1]
    here.close()


def test_an_answer_is_the_same_and_its_text_streams(talker: Isolated, chat_folder: Path) -> None:
    here, told = load_here(TextEngine(), chat_folder, options={"dtype": "float32"}), Recorder()
    there = talker.run(SAY, told)
    assert there.text == here.run(SAY, Recorder()).text
    assert there.text == "".join(told.texts)
    assert len(told.texts) > 1
    here.close()


def test_a_gguf_counts_and_keeps_to_a_form_there_as_it_does_here(chat_folder: Path, tmp_path: Path) -> None:
    gguf_of(chat_folder, file := tmp_path / "tiny.gguf", CHAT_TEMPLATE)
    here, there = load_here(LlamaEngine(), file, limits={"context": 512}), load("llama", file, limits={"context": 512})
    try:
        assert isinstance(there, CountsConversation)
        assert isinstance(there, KeepsForm)
        said = tuple(Message("user" if n % 2 else "assistant", f"{n} hello world " * 6) for n in range(1, 40))
        long = replace(SAY, messages=said)
        assert there.usage(long) == here.usage(long)
        assert there.usage(long).cut > 0
        schema = json.dumps({"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]})
        asked = replace(SAY, schema=schema, max_tokens=80)
        answer = there.run(asked, Recorder())
        assert answer.text == here.run(asked, Recorder()).text
        assert structured.problem(answer.text, schema) == ""
    finally:
        here.close()
        there.close()


def test_what_an_engine_cannot_nobody_says_of_its_model_there(painter: Isolated, talker: Isolated) -> None:
    assert not isinstance(painter, CountsConversation)
    assert isinstance(talker, CountsConversation)
    assert not isinstance(talker, KeepsForm)


def test_stop_leaves_the_model_usable(painter: Isolated) -> None:
    with pytest.raises(Cancelled):
        painter.run(ASK, Recorder(stop_after=1))
    assert len(painter.run(ASK, Recorder()).images) == 2


def test_files_that_are_no_model_say_so_and_leave_no_process(tmp_path: Path) -> None:
    before = psutil.Process().children()
    with pytest.raises(StudioError) as caught:
        load("diffusion", tmp_path)
    assert caught.value.code != "worker_ended"
    assert psutil.Process().children() == before


def test_what_it_held_is_back_once_it_is_unloaded(talker: Isolated, chat_folder: Path) -> None:
    model = load("text", chat_folder)
    pid, held = model._child.pid, model.process_nbytes()
    assert held > 50_000_000  # torch alone is more
    assert held < psutil.Process(pid).memory_info().rss
    model.close()
    assert not psutil.pid_exists(pid)
    assert model.process_nbytes() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_model_that_is_killed_in_the_middle_says_so(folders: dict[str, Path]) -> None:
    model = load("diffusion", folders["icons"])

    class Killer(Recorder):
        def step(self, done: int, total: int = 0) -> None:
            os.kill(model._child.pid, 9)

    with pytest.raises(StudioError) as caught:
        model.run(ASK, Killer())
    assert caught.value.params == {"model": "Tiny", "reason": "SIGKILL"}
    model.close()
