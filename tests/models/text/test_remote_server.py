"""A server that speaks as OpenAI does and was written by somebody else: llama.cpp's own, with a tiny model in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from talking import talk
from tiny import CHAT_TEMPLATE, Recorder
from tiny_gguf import gguf_of

from studio.catalog.card import Card, Source
from studio.devices.device import Device
from studio.errors import Cancelled, StudioError
from studio.manager.backends.engine import RemoteEngine, RemoteModel
from studio.request_parts import Message
from studio.requests import CodeRequest

KEY = "a-key-of-the-server"


@pytest.fixture(scope="module")
def url(chat_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import xllamacpp

    xl: Any = xllamacpp
    file = tmp_path_factory.mktemp("far") / "tiny.gguf"
    gguf_of(chat_folder, file, CHAT_TEMPLATE)
    params = xl.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.n_gpu_layers, params.warmup, params.offline = 4096, 1, 0, False, True
    params.chat_template, params.use_jinja, params.verbosity = "chatml", False, 0
    params.api_keys = [KEY]
    server = xl.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def far(url: str, key: str = "FAR_KEY") -> RemoteModel:
    card = Card(
        id="far", title="Far", tasks=("chat", "code"), engine="remote", source=Source("remote", address=url),
        licence="?", licence_url="", commercial=None, parameters=0, disk_bytes=0, memory_bytes=0, least_memory=0,
        languages=("en",), summary={}, options={"model": "tiny", "key": key, "extended": True},
    )  # fmt: skip
    return RemoteEngine().load(card, Path(), Device("remote"), lambda _: None)


@pytest.fixture
def model(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteModel]:
    monkeypatch.setenv("FAR_KEY", KEY)
    found = far(url)
    yield found
    found.close()


def test_it_answers_here_what_it_answers_openais_own_client(model: RemoteModel, url: str) -> None:
    asked, context = talk(Message("user", "Why?"), temperature=0.0, max_tokens=24), Recorder()
    output = model.run(asked, context)
    with OpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        same = client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "Why?"}], temperature=0.0, max_tokens=24, seed=1,
            extra_body={"repeat_penalty": asked.repetition_penalty},
        )  # fmt: skip
    assert output.text == "".join(context.texts) == same.choices[0].message.content
    assert output.finish == same.choices[0].finish_reason
    assert same.usage is not None
    assert output.stats["tokens"] == same.usage.completion_tokens
    assert output.stats["prompt_tokens"] == same.usage.prompt_tokens


def test_stop_ends_it_there_and_the_next_one_is_answered(model: RemoteModel) -> None:
    long = talk(Message("user", "Why?"), temperature=0.0, max_tokens=3000)
    try:
        stopped = model.run(long, Recorder(stop_after=3))
        assert stopped.finish == "cancelled"
    except Cancelled:
        pass
    assert model.run(talk(Message("user", "Why?"), temperature=0.0, max_tokens=4), Recorder()).text


def test_code_goes_on_there(model: RemoteModel) -> None:
    request = CodeRequest(
        prefix="def f():", suffix="", model="far", max_tokens=12, temperature=0.0, top_p=1.0, seed=1, language="python"
    )
    assert model.run(request, Recorder()).stats["tokens"] >= 1


def test_a_wrong_key_is_told_as_one(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG_KEY", "another")
    with pytest.raises(StudioError) as error:
        far(url, "WRONG_KEY").run(talk(Message("user", "Why?")), Recorder())
    assert error.value.code == "remote_key"


def test_what_it_says_is_wrong_is_passed_on(model: RemoteModel) -> None:
    with pytest.raises(StudioError) as error:
        model.run(talk(Message("user", "Why? " * 4000), max_tokens=4), Recorder())
    assert error.value.code == "remote_refused"
    assert "context" in str(error.value.params["reason"])
