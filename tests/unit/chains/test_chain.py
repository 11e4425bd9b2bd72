"""Chains as files: what is understood, and the one clear error of what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.chains import fields
from studio.chains.chain import FORMAT, Step, read_chain
from studio.chains.values import Value, filled
from studio.errors import StudioError
from studio.request_parts import Control, Lora
from studio.requests import REQUESTS, TASKS, ImageRequest, Request

HEAD = f'format = "{FORMAT}"\n'
ONE = '[[step]]\ntask = "image"\nprompt = "{input}"\n'


def chain(text: str, file: str = "mine.toml") -> Any:
    return read_chain((HEAD + text).encode(), file)


def refusal(data: bytes | str) -> StudioError:
    with pytest.raises(StudioError) as caught:
        read_chain(data if isinstance(data, bytes) else (HEAD + data).encode(), "mine.toml")
    assert caught.value.params["file"] == "mine.toml"
    for language in ("en", "zh-CN"):
        assert "mine.toml" in caught.value.what(language)
    return caught.value


def test_steps_slots_and_texts_are_read() -> None:
    found = read_chain(
        b'\xef\xbb\xbfformat = "atelier-chain/1"\r\ntitle = { en = "Cards", zh-CN = "\xe5\x8d\xa1" }\r\n'
        b'[slots]\r\nstyle = { text = "ink", title = "Style" }\r\n'
        b'[[step]]\r\nname = "words"\r\ntask = "caption"\r\nimage = "{input}"\r\n'
        b'[[step]]\r\ntask = "image"\r\nprompt = "{words}, {style}"\r\nwidth = 64\r\n',
        "cards.toml",
    )  # fmt: skip
    assert (found.title("en"), found.title("zh-CN"), found.title("de")) == ("Cards", "卡", "Cards")
    assert (found.takes, dict(found.slots)) == ("picture", {"style": "ink"})
    assert found.slot("style", "zh-CN") == "Style"
    assert [(step.name, step.task) for step in found.steps] == [("words", "caption"), ("image", "image")]


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        (ONE, "text"),
        ('[[step]]\ntask = "upscale"\nimage = "{input}"\n', "picture"),
        ('[[step]]\ntask = "music"\nprompt = "a waltz"\nsound = "{input}"\n', "sound"),
        ('[[step]]\ntask = "image"\nprompt = "{name} {number}"\n', None),
        ('[[step]]\ntask = "image"\nprompt = "a"\ncontrols = [{ model = "canny", image = "{input}" }]\n', "picture"),
        ('[[step]]\ntask = "chat"\nprompt = "What is it?"\npictures = ["{input}"]\n', "picture"),
        ('[[step]]\ntask = "music"\nprompt = "a"\nduration = "{input}"\n', "text"),
    ],
)
def test_what_a_chain_takes_follows_from_its_steps(text: str, takes: str | None) -> None:
    assert chain(text).takes == takes


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        (b"\xff\xfe", "chain_unreadable", {"reason": "UTF-8"}),
        (b"format = ", "chain_unreadable", {}),
        (b"x" * 200_000, "chain_unreadable", {}),
        (b"[[step]]\n", "chain_format", {"found": "\u2013"}),
        (b'format = "atelier-chain/2"\n', "chain_format", {"found": "atelier-chain/2"}),
        ("", "chain_steps", {}),
        ("step = 3", "chain_steps", {}),
        (ONE * 2, "chain_twice", {"name": "image"}),
        ("".join(ONE.replace("task", f'name = "s{n}"\ntask', 1) for n in range(21)), "chain_steps", {"most": 20}),
        ("stepp = 3\n" + ONE, "chain_field", {"step": "\u2013", "field": "stepp", "near": "step"}),
        (ONE.replace("prompt", "promt"), "chain_field", {"step": "image", "field": "promt", "near": "prompt"}),
        (ONE.replace("image", "imgae"), "chain_task", {"step": "1", "task": "imgae", "near": "image"}),
        (ONE.replace("{input}", "{imput}"), "chain_slot", {"field": "prompt", "slot": "imput", "near": "input"}),
        (ONE.replace("{input}", "{image}"), "chain_slot", {"slot": "image"}),  # its own result
        (ONE + "steps = true\n", "chain_value", {"field": "steps", "wanted": "chain.wanted.number"}),
        (ONE + 'steps = "many"\n', "chain_value", {"field": "steps"}),
        (ONE + "tiling = 1\n", "chain_value", {"field": "tiling", "wanted": "chain.wanted.flag"}),
        (ONE + 'image = "cat.png"\n', "chain_value", {"field": "image", "wanted": "chain.wanted.picture"}),
        (ONE + 'image = "{input}"\n', "chain_kind", {"field": "image", "slot": "input"}),  # a text already
        (ONE + 'styles = "ink"\n', "chain_value", {"field": "styles", "wanted": "chain.wanted.list"}),
        (ONE + "styles = [3]\n", "chain_value", {"field": "styles"}),
        (ONE + "seed = 2026-01-01\n", "chain_value", {"field": "seed"}),
        (ONE + 'loras = ["ink"]\n', "chain_value", {"field": "loras", "wanted": "chain.wanted.tables"}),
        (ONE + 'loras = [{ name = "a", wieght = 1 }]\n', "chain_field", {"field": "loras.1.wieght", "near": "weight"}),
        (ONE + 'loras = [{ name = "{nothing}" }]\n', "chain_slot", {"slot": "nothing"}),
        ("[slots]\nstyle = 3\n" + ONE, "chain_value", {"step": "slots", "field": "style"}),
        ('[slots]\nstyle = { test = "a" }\n' + ONE, "chain_field", {"field": "style.test", "near": "text"}),
        ("[slots]\nstyle = { title = 3 }\n" + ONE, "chain_value", {"field": "title"}),
        ('[slots]\ninput = "a"\n' + ONE, "chain_twice", {"name": "input"}),
        ('[slots]\n"a b" = "a"\n' + ONE, "chain_twice", {"name": "a b"}),
        (ONE.replace("task", 'name = "input"\ntask', 1), "chain_twice", {"name": "input"}),
        (ONE.replace("task", "name = 3\ntask", 1), "chain_value", {"field": "name"}),
        ('[[step]]\ntask = "code"\nprefix = "{input}"\n[[step]]\ntask = "upscale"\nimage = "{code}"\n', "chain_kind",
         {"step": "upscale", "field": "image", "slot": "code", "wanted": "chain.wanted.picture"}),
        ('[[step]]\ntask = "image"\nprompt = "a"\n[[step]]\ntask = "music"\nprompt = "{image}"\n', "chain_kind",
         {"step": "music", "field": "prompt", "slot": "image", "wanted": "chain.wanted.text"}),
        ('[[step]]\ntask = "chat"\nmessages = []\n', "chain_field", {"field": "messages"}),
        ("title = 3\n" + ONE, "chain_value", {"field": "title"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_error_with_file_step_and_field(
    text: bytes | str, code: str, params: dict[str, object]
) -> None:
    error = refusal(text)
    assert error.code == code
    assert {name: error.params[name] for name in params} == params


def test_a_piece_is_notes_for_a_melody_and_nothing_else() -> None:
    two = '[[step]]\ntask = "music"\nname = "a"\nprompt = "x"\n[[step]]\ntask = "music"\nname = "b"\n'
    assert len(chain(two + 'prompt = "y"\nmelody = "{a}"\n').steps) == 2
    assert refusal(two + 'prompt = "{a}"\n').code == "chain_kind"


def test_every_field_of_every_request_has_a_place() -> None:
    assert set(REQUESTS) == set(TASKS) == set(fields.GIVES)
    assert set(REQUESTS.values()) == set(get_args(Request))
    assert {"prompt", "pictures"} <= set(fields.fields_of("chat"))
    for task in TASKS:
        known = fields.fields_of(task)
        assert "task" not in known
        for field in known.values():
            assert (field.inner is not None) == (field.shape == "tables")
    assert fields.fields_of("music")["sound"].kind == "sound"


def test_values_become_what_a_request_holds(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"picture")
    step = Step("s", "image", {
        "prompt": "{words} of {input}", "width": "{size}", "loras": [{"name": "{words}", "weight": 0.5}],
        "controls": [{"model": "canny", "image": "{shape}"}], "styles": ["{words}", "b"], "tiling": True,
    })  # fmt: skip
    values = {
        "words": Value("text", "ink"), "input": Value("text", "{words} {size}"), "size": Value("text", "64"),
        "shape": Value("picture", file=file),
    }  # fmt: skip
    request = fields.request_of("image", filled(step, values).fields)
    assert request == ImageRequest(
        prompt="ink of {words} {size}", width=64, loras=(Lora("ink", 0.5),), controls=(Control("canny", b"picture"),),
        styles=("ink", "b"), tiling=True,
    )  # fmt: skip


def test_the_mark_changes_with_everything_that_goes_in_and_with_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"picture")
    step = Step("s", "upscale", {"image": "{input}", "scale": 2})
    values = {"input": Value("picture", file=file), "other": Value("text", "a")}
    mark = filled(step, values).mark
    assert filled(Step("renamed", "upscale", dict(step.fields)), values | {"other": Value("text", "b")}).mark == mark
    assert filled(Step("s", "upscale", {"image": "{input}", "scale": 4}), values).mark != mark
    assert filled(step, values, 1).mark != mark
    moved = tmp_path / "b.png"
    moved.write_bytes(b"picture")
    assert filled(step, {"input": Value("picture", file=moved)}).mark == mark
    file.write_bytes(b"another")
    assert filled(step, values).mark != mark


def test_a_small_file_cannot_become_a_very_long_text() -> None:
    step = Step("s", "image", {"prompt": "{input}" * 1000})
    with pytest.raises(StudioError) as caught:
        filled(step, {"input": Value("text", "x" * 20_000)})
    assert caught.value.code == "too_long"


@given(st.text(alphabet="abio=[]{}\"'\n.,#\\ 3stepakgmn", max_size=120))
def test_no_file_breaks_the_reader(text: str) -> None:
    try:
        found = read_chain((HEAD + ONE + text).encode(), "mine.toml")
    except StudioError as error:
        told = error
    else:
        assert found.steps
        return
    assert told.params["file"] == "mine.toml"


@given(st.text(max_size=60))
def test_no_value_is_read_for_slots(words: str) -> None:
    step = Step("s", "image", {"prompt": "<{input}>"})
    values = {"input": Value("text", words), "secret": Value("text", "!")}
    assert filled(step, values).fields["prompt"] == f"<{words}>"
