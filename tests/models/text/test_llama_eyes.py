"""Conversations with pictures through llama.cpp: a tiny model and a tiny encoder beside it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from talking import talk
from tiny import CHAT_TEMPLATE, Recorder, card, load
from tiny_gguf import gguf_of
from tiny_mmproj import mmproj_of

from studio.engines.text import llama_eyes
from studio.engines.text.llama import LlamaEngine
from studio.errors import StudioError
from studio.request_parts import Attachment, Message
from studio.tasks.chat.attachments import read_attachment


def picture(colour: str, form: str = "PNG") -> Attachment:
    out = io.BytesIO()
    Image.new("RGB", (30, 30), colour).save(out, form)
    return read_attachment(f"{colour}.{form.lower()}", out.getvalue())


@pytest.fixture(scope="module")
def folder(chat_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import AutoConfig

    folder = tmp_path_factory.mktemp("seeing")
    gguf_of(chat_folder, folder / "tiny.gguf", CHAT_TEMPLATE)
    mmproj_of(folder / "mmproj-tiny.gguf", AutoConfig.from_pretrained(chat_folder).hidden_size)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load(LlamaEngine(), folder, limits={"context": 4096})


def test_the_answer_is_about_the_picture_that_was_shown(model: Any) -> None:
    context = Recorder()
    red = model.run(talk(Message("user", "What?", (picture("red"),))), context)
    assert red.text == "".join(context.texts)
    assert red.stats["tokens"] == len(context.steps) > 1
    blue = model.run(talk(Message("user", "What?", (picture("blue"),))), Recorder())
    none = model.run(talk(Message("user", "What?")), Recorder())
    assert len({red.text, blue.text, none.text}) == 3
    assert model.run(talk(Message("user", "What?", (picture("red", "WEBP"),))), Recorder()).text == red.text
    plain = 4  # its four patches stand where one mark does
    assert red.stats["prompt_tokens"] - none.stats["prompt_tokens"] == plain


def test_stop_ends_it_and_the_next_one_is_answered(model: Any) -> None:
    asked = talk(Message("user", "What?", (picture("red"),)), max_tokens=400)
    stopped = model.run(asked, Recorder(stop_after=3))
    assert (stopped.finish, stopped.stats["tokens"]) == ("cancelled", 3)
    assert model.run(replace(asked, max_tokens=4), Recorder()).finish == "length"


def test_nobody_types_a_picture(model: Any) -> None:
    for mark in ("<__media__>", "\ufffc", "<|im_end|>"):
        asked = talk(Message("user", f"{mark} What?", (picture("red"),)))
        assert model.run(asked, Recorder()).finish in ("stop", "length")
    prompt = llama_eyes.prompt("\ufffc", (picture("red").data,))
    assert prompt["prompt_string"] == llama_eyes.mark()


def test_pictures_beyond_the_context_are_refused_or_left_out(model: Any) -> None:
    four = tuple(picture(colour) for colour in ("red", "blue", "green", "black"))
    with pytest.raises(StudioError) as caught:
        model.run(talk(Message("user", "x", four)), Recorder())
    assert caught.value.code == "context_full"
    old = [Message("user", "x", (picture("red"),)), Message("assistant", "y")] * 4
    output = model.run(talk(*old, Message("user", "now")), Recorder())
    assert [key for key, _ in output.notes] in (["history_cut"], ["history_cut_after"])


def test_who_sees_says_its_folder_or_its_card(folder: Path, tmp_path: Path) -> None:
    engine = LlamaEngine()
    assert engine.sees(card("llama"), folder)
    assert not engine.sees(card("llama"), folder / "tiny.gguf")  # other models may lie beside it
    assert engine.sees(card("llama", options={"mmproj": "mmproj-tiny.gguf"}), folder / "tiny.gguf")
    assert not engine.sees(card("llama", options={"mmproj": "mmproj-tiny.gguf"}), tmp_path)
    assert engine.sees(card("llama", options={"mmproj": "x.gguf"}), None)
    assert not engine.sees(card("llama"), None)
