"""Servers that are broken, or somebody else's: whatever they answer is one error, in time, and goes nowhere else."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from raw_server import OPEN, Answer, Asked, events, http, raw
from serving import png, until
from studios import ask

from studio.catalog.card import Card, Source
from studio.devices.device import Device
from studio.errors import Cancelled, StudioError
from studio.jobs.context import RunContext
from studio.jobs.job import Job
from studio.manager.backends.engine import RemoteEngine
from studio.manager.backends.process import wire
from studio.manager.backends.remote import client, outputs
from studio.requests import CaptionRequest, ImageRequest, MusicRequest, Request
from studio.results import Audio, Output

TALK = ask()
FOX = ImageRequest(prompt="a fox", width=64, height=64, steps=2, seed=7, count=1)
TUNE = MusicRequest(prompt="a tune", seed=1, count=1)
DONE = {"id": "abc123", "status": "done", "result": {"files": []}}


def card(url: str, speaks: str = "atelier", **options: Any) -> Card:
    return Card(
        id="far", title="Far", tasks=("chat", "image", "music", "caption", "code"), engine="remote",
        source=Source("remote", address=url), licence="?", licence_url="", commercial=None, parameters=0, disk_bytes=0,
        memory_bytes=0, least_memory=0, languages=("en",), summary={}, options={"speaks": speaks, **options},
    )  # fmt: skip


def run(url: str, request: Request, speaks: str = "atelier", job: Job | None = None, **options: Any) -> Output:
    model = RemoteEngine().load(card(url, speaks, **options), Path(), Device("remote"), lambda _: None)
    try:
        return model.run(request, RunContext(job or Job("chat", "t", previews=True)))
    finally:
        model.close()


def refused(answer: Answer | bytes, request: Request = TALK, speaks: str = "atelier", **options: Any) -> StudioError:
    """The error that an answer becomes."""
    with raw(answer if callable(answer) else lambda _: answer) as server:
        with pytest.raises(StudioError) as error:
            run(server.url, request, speaks, **options)
        assert error.value.params.get("host", server.name) == server.name
        return error.value


NONSENSE = {
    "a page": http(b"<html>Log in</html>", "text/html"),
    "a page that says it is a stream": http(b"<html>Log in</html>"),
    "no JSON": events("{"),
    "a number": events("7"),
    "a list": events([1]),
    "deep": events("[" * 100_000),
    "squeezed": http(gzip.compress(b"data: {}\n\n" * 1000), more="Content-Encoding: gzip\r\n"),
    "no content": http(b"", status="204 No Content"),
}


@pytest.mark.parametrize("speaks", ["atelier", "openai"])
@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
def test_what_is_no_answer_is_one_error(answer: bytes, speaks: str) -> None:
    assert refused(answer, speaks=speaks).code in ("remote_nonsense", "remote_gone")


@pytest.mark.parametrize("speaks", ["atelier", "openai"])
def test_what_never_ends_is_cut(speaks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_EVENT", 100_000)
    monkeypatch.setattr(client, "LARGEST_STREAM", 1_000_000)

    def line(_: Asked) -> Iterator[bytes]:
        yield OPEN + b"data: "
        while True:
            yield b"x" * 10_000

    def lines(_: Asked) -> Iterator[bytes]:
        yield OPEN
        while True:
            yield b'data: {"choices": [], "status": "running"}\n\n' * 1000

    for answer in (line, lines):
        assert refused(answer, speaks=speaks).code == "remote_nonsense"


@pytest.mark.parametrize("speaks", ["atelier", "openai"])
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_nothing_follows_to_another_place(status: str, speaks: str) -> None:
    with raw(lambda _: http(b"")) as elsewhere:
        answer = http(b"", status=status, more=f"Location: {elsewhere.url}/v1/jobs\r\n")
        assert refused(answer, speaks=speaks).code == "remote_nonsense"
        assert elsewhere.asked == []


@pytest.mark.parametrize("speaks", ["atelier", "openai"])
@pytest.mark.parametrize(
    ("status", "code"),
    [("401 Unauthorized", "remote_asks_key"), ("403 Forbidden", "remote_asks_key"), ("429 Slow down", "remote_busy"),
     ("503 Later", "remote_busy"), ("404 Not Found", "remote_refused"), ("500 Oops", "remote_refused")],
)  # fmt: skip
def test_a_status_is_told_for_what_it_is(status: str, code: str, speaks: str) -> None:
    assert refused(http(b"<html>", "text/html", status), speaks=speaks).code == code


def test_nobody_there_is_one_error() -> None:
    with raw(lambda _: b"") as server:
        url = server.url
    with pytest.raises(StudioError) as error:
        run(url, ask())
    assert error.value.code == "remote_gone"


@pytest.mark.parametrize("speaks", ["atelier", "openai"])
def test_one_that_says_nothing_counts_as_gone(speaks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.manager.backends import engine

    monkeypatch.setattr(engine, "PATIENCE", 0.3)
    monkeypatch.setattr(engine, "LONG", 0.3)
    never = threading.Event()

    def silent(_: Asked) -> Iterator[bytes]:
        yield OPEN
        never.wait(20)

    assert refused(silent, speaks=speaks).code == "remote_gone"
    never.set()


def test_what_a_server_says_of_itself_is_shown_in_one_clean_line() -> None:
    said = {"error": {"message": "Line\n\x1b[31mred\u202e" + "x" * 5000, "code": "made_up", "params": {}}}
    error = refused(http(json.dumps(said).encode(), "application/json", "400 Bad"))
    assert error.code == "remote_refused"
    assert str(error.params["reason"]).startswith("Line [31mred x")
    assert len(str(error.params["reason"])) <= 200


@pytest.mark.parametrize(
    "told",
    [{"code": "remote_gone", "params": {"self": "x", "host": "y"}}, {"code": "internal", "params": {"id": [1]}},
     {"code": ["x"], "params": {}}, {"code": "no such", "params": {}, "message": 7}, {"message": None}, 7, [], {}],
    ids=str,
)  # fmt: skip
def test_an_error_in_any_form_is_an_error(told: Any) -> None:
    error = refused(events({"id": "a", "status": "failed", "error": told}))
    assert error.code in ("remote_refused", "remote_nonsense")


WRONG = [
    {"status": 5}, {"status": "done"}, {"id": 7, "status": ["x"]}, {"id": "../../x", "status": "running", "text": 7},
    {"id": "a", "status": "running", "step": "x", "steps": [], "fraction": "1", "previews": {"0": "no picture"}},
    {"id": "a", "status": "running", "previews": {"0": 7}}, {"id": "a", "status": "running", "previews": []},
    {"id": "a", "status": "running", "step": -1, "steps": 1e300}, {"id": "a", "status": "cancelled"}, DONE,
]  # fmt: skip


@pytest.mark.parametrize("told", WRONG, ids=str)
def test_updates_of_wrong_types_are_one_error(told: Any) -> None:
    assert refused(events(told)).code in ("remote_nonsense", "remote_gone", "remote_stopped")


def test_only_the_address_that_was_named_is_asked() -> None:
    with raw(
        lambda asked: events({**DONE, "id": "../../../etc"}) if asked.line.startswith("POST") else http(b"")
    ) as one:
        with pytest.raises(StudioError):
            run(one.url, ask())
        assert [asked.line.split()[1] for asked in one.asked] == ["/v1/jobs", "/v1/jobs//output"]


# Outputs


def output(data: bytes) -> Answer:
    return lambda asked: events(DONE) if asked.line.startswith("POST") else http(data, "application/octet-stream")


def packed(*values: Any) -> bytes:
    return b"".join(wire.pack(*values))


SOUND = np.zeros((2, 100), np.float32)
BAD_OUTPUTS: dict[str, tuple[Request, bytes]] = {
    "nothing": (ask(), b""),
    "a pickle": (ask(), pickle.dumps(Output(text="x"))),
    "a length alone": (ask(), struct.pack("<I", 1 << 31)),
    "more bytes than there are": (ask(), struct.pack("<I", 18) + b"[[99999999999],[]]"),
    "a negative size": (ask(), struct.pack("<I", 9) + b"[[-1],[]]"),
    "no output": (ask(), packed("x")),
    "two": (ask(), packed(Output(), Output())),
    "text that is none": (ask(), packed(Output(text=7))),  # pyright: ignore[reportArgumentType]
    "a finish nobody knows": (ask(), packed(Output(text="x", finish="?"))),  # pyright: ignore[reportArgumentType]
    "figures that are none": (ask(), packed(Output(text="x", stats={"tokens": float("nan")}))),
    "notes that are none": (ask(), packed(Output(text="x", notes=("x",)))),  # pyright: ignore[reportArgumentType]
    "a picture for words": (ask(), packed(Output(text="x", images=(Image.new("RGB", (8, 8)),), seeds=(1,)))),
    "no picture": (FOX, packed(Output(text="x"))),
    "too many pictures": (FOX, packed(Output(images=(Image.new("RGB", (8, 8)),) * 2, seeds=(1, 2)))),
    "a picture in grey": (FOX, packed(Output(images=(Image.new("L", (8, 8)),), seeds=(1,)))),
    "a seed that is none": (FOX, packed(Output(images=(Image.new("RGB", (8, 8)),), seeds=(-1,)))),
    "sound for a picture": (FOX, packed(Output(audio=(Audio(SOUND, 32000),), seeds=(1,)))),
    "sound in whole numbers": (TUNE, packed(Output(audio=(Audio(SOUND.astype(np.int16), 32000),), seeds=(1,)))),
    "sound that is endless": (TUNE, packed(Output(audio=(Audio(SOUND + np.inf, 32000),), seeds=(1,)))),
    "a rate of nothing": (TUNE, packed(Output(audio=(Audio(SOUND, 0),), seeds=(1,)))),
    "notes of music that are none": (TUNE, packed(Output(audio=(Audio(SOUND, 32000, b"MThd"),), seeds=(1,)))),
    "a hundred channels": (TUNE, packed(Output(audio=(Audio(np.zeros((100, 2), np.float32), 32000),), seeds=(1,)))),
}


@pytest.mark.parametrize(("request_", "data"), BAD_OUTPUTS.values(), ids=BAD_OUTPUTS.keys())
def test_an_output_that_no_engine_makes_is_one_error(request_: Request, data: bytes) -> None:
    assert refused(output(data), request_).code == "remote_nonsense"


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_read_or_refused(data: bytes) -> None:
    for given_ in (data, struct.pack("<I", len(data)) + data):
        try:
            wire.unpack(given_)
        except ValueError:
            continue


def test_what_fits_is_taken_and_notes_without_words_are_left_out() -> None:
    told = Output(text="x", notes=(("no_weights", {}), ("made_up", {})), stats={"tokens": 3})
    assert outputs.checked(told, ask()).notes == (("no_weights", {}),)
    picture = outputs.checked(Output(images=(Image.new("RGBA", (8, 8)),), seeds=(7,)), FOX)
    assert picture.seeds == (7,)


# Stop


def slow(_: Asked) -> Iterator[bytes]:
    yield OPEN
    while True:
        yield b": still here\n\n"
        threading.Event().wait(0.05)


def stopped_on_the_way(server: Any, request: Request, speaks: str) -> bool:
    """Ask, press Stop, and say whether that ended it within two seconds."""
    job, ended = Job(request.task, "t"), list[Any]()

    def work() -> None:
        try:
            ended.append(run(server.url, request, speaks, job))
        except Cancelled as error:
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert until(lambda: server.asked)
    job.cancel()
    thread.join(2)
    return isinstance(ended[0], Cancelled)


@pytest.mark.parametrize("speaks", ["atelier", "openai"])
def test_stop_hangs_up_on_one_that_does_not_hear(speaks: str) -> None:
    with raw(slow) as server:
        assert stopped_on_the_way(server, ask(), speaks)
        assert server.gone.wait(2), "the other end sees that nobody listens"


def test_stop_does_not_wait_for_a_picture() -> None:
    with raw(slow) as server:
        assert stopped_on_the_way(server, FOX, "openai")


# Keys


def test_a_key_goes_there_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_KEY", "sk-secret")
    error = refused(http(b"", status="401 No"), key="FAR_KEY")
    assert (error.code, error.params["name"]) == ("remote_key", "FAR_KEY")
    assert "sk-secret" not in str(error)
    with raw(lambda _: http(b"")) as server:
        with pytest.raises(StudioError):
            run(server.url, ask(), key="FAR_KEY")
        assert server.asked[0].headers["authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize("value", ["", " ", "two\nlines", "schlüssel"])
def test_a_key_that_is_none_is_not_sent(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_KEY", value)
    with raw(lambda _: http(b"")) as server:
        with pytest.raises(StudioError) as error:
            run(server.url, ask(), key="FAR_KEY")
        assert error.value.code == "remote_no_key"
        assert server.asked == []


def test_a_name_that_leads_out_of_the_network_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    told = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: told)
    with pytest.raises(StudioError) as error:
        run("http://studio.internal:7860", ask())
    assert error.value.code == "remote_plain"


def test_files_of_this_machine_do_not_travel() -> None:
    from dataclasses import replace

    from studio.request_parts import Lora

    with raw(lambda _: http(b"")) as server:
        with pytest.raises(StudioError) as error:
            run(server.url, replace(FOX, loras=(Lora("mine"),)))
        assert error.value.code == "remote_files"
        assert server.asked == []


def test_a_caption_cannot_be_asked_of_openai() -> None:
    with pytest.raises(StudioError) as error:
        run("http://127.0.0.1:9", CaptionRequest(image=png()), "openai")
    assert error.value.code == "remote_cannot"
