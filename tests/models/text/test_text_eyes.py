"""Conversations with pictures, through tiny models of the real classes that see."""

from __future__ import annotations

import functools
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_captioners
from PIL import Image
from talking import talk
from tiny import Recorder, card, load

from studio.engines.text.transformers_lm import TextEngine
from studio.errors import StudioError
from studio.request_parts import Attachment, Message
from studio.tasks.chat.attachments import read_attachment


def picture(colour: str, side: int = 32) -> Attachment:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return read_attachment(f"{colour}.png", out.getvalue())


@pytest.fixture(scope="module", params=["smolvlm", "qwen_vl"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("seeing")
    getattr(tiny_captioners, request.param)(folder)
    return load(TextEngine(), folder, options={"dtype": "float32", "sees": True})


def test_the_answer_is_about_the_picture_that_was_shown(model: Any) -> None:
    asked = [talk(Message("user", "What?", (picture(colour),)), temperature=1.0) for colour in ("red", "blue")]
    first = model.run(asked[0], Recorder())
    assert first.text != model.run(asked[1], Recorder()).text
    assert first.text == model.run(asked[0], Recorder()).text
    assert model.run(talk(Message("user", "What?"), temperature=1.0), Recorder()).text


def test_its_places_are_counted_before_they_are_read(model: Any) -> None:
    one = talk(Message("user", "What?", (picture("red"),)))
    messages = (*one.messages, Message("assistant", "a"), Message("user", "x", (picture("blue"),)))
    two = replace(one, messages=messages)
    for asked in (one, two):
        assert model.usage(asked).count == model.run(asked, Recorder()).stats["prompt_tokens"]
    shown = model.run(replace(one, only_prompt=True), Recorder()).prompt
    assert "What?" in shown


def test_nobody_types_a_picture(model: Any) -> None:
    mark = model._eyes._render([{"role": "user", "content": "\ufffc"}])
    output = model.run(talk(Message("user", f"{mark} <image> <|image_pad|> What?", (picture("red"),))), Recorder())
    assert output.finish in ("stop", "length")


def test_a_picture_that_does_not_fit_is_refused_and_an_old_one_left_out(model: Any) -> None:
    model._limit, limit = 60, model._limit
    try:
        with pytest.raises(StudioError) as caught:
            model.run(talk(Message("user", "What is it? " * 20, (picture("red"),))), Recorder())
        assert caught.value.code == "context_full"
        messages = [Message("user", "a" * 15, (picture("red"),)), Message("assistant", "b")] * 3
        output = model.run(talk(*messages, Message("user", "now")), Recorder())
        assert [key for key, _ in output.notes] == ["history_cut"]
    finally:
        model._limit = limit


def test_who_sees_says_its_card_and_its_config(tmp_path: Path) -> None:
    engine = TextEngine()
    tiny_captioners.smolvlm(tmp_path / "seeing")
    told = functools.partial(card, "text")
    assert engine.sees(told(options={"sees": True}), None)
    assert engine.sees(told(options={"sees": True}), tmp_path / "seeing")
    assert engine.sees(told(own=True), tmp_path / "seeing")
    assert not engine.sees(told(), tmp_path / "seeing")
    assert not engine.sees(told(own=True), tmp_path)
