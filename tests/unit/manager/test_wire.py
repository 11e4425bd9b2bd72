"""What crosses between the studio and a model's own process: data arrives as it was, and nothing else arrives."""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_card import tiny_card

from studio import request_parts, requests
from studio.catalog.card import Part, Source
from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.manager.backends.process import wire
from studio.manager.backends.process.wire import Channel, Closed
from studio.paths import Home
from studio.results import Audio, Output


def cross(value: Any) -> Any:
    """What arrives of `value`, by way of bytes."""
    blobs: list[Any] = []
    tree = json.loads(json.dumps(wire.encode(value, blobs)))
    return wire.decode(tree, [bytearray(blob) for blob in blobs])


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_values_arrive_as_they_were(value: Any) -> None:
    assert cross(value) == value
    assert type(cross(value)) is type(value)


def test_a_card_arrives_whole() -> None:
    source = Source("hub", repo="owner/name", files=("a", "b"), sha256=MappingProxyType({"a": "00"}))
    card = tiny_card(
        source, 1, defaults={"steps": 3}, options={"dtype": "auto"}, limits={"context": 8.0}, isolate=True,
        parts=(Part("preview", source, {"x": "y"}, optional=True),),
    )  # fmt: skip
    assert cross(card) == card


@pytest.mark.parametrize("demo", [False, True])
def test_every_model_of_the_catalogue_can_cross(tmp_path: Path, demo: bool) -> None:
    cards = Catalog.load(Home.at(tmp_path), demo=demo).cards
    assert cards
    for card in cards.values():
        assert cross(card) == card


@pytest.mark.parametrize(
    "request_",
    [
        requests.ChatRequest(messages=(request_parts.Message("user", "你好 😀 \ud800"),), stop=("a",), temperature=0.1),
        requests.ImageRequest(prompt="x", image=b"\x00\xff", loras=(request_parts.Lora("film", 0.5),), seed=2**63),
        requests.MusicRequest(prompt="x", sound=b"RIFF"),
        requests.CodeRequest(prefix="def f("),
        requests.CaptionRequest(image=b"PNG", require=("red",)),
        requests.UpscaleRequest(image=b""),
    ],
    ids=lambda request: request.task,
)
def test_a_request_of_every_task_arrives_whole(request_: Any) -> None:
    assert cross(request_) == request_


def test_every_kind_of_request_can_cross() -> None:
    assert {kind.__name__ for kind in requests.Request.__args__} <= wire.CLASSES.keys()


def test_an_output_arrives_with_pictures_sound_and_figures() -> None:
    picture = Image.effect_noise((7, 5), 50).convert("RGB")
    samples = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6)[:, ::2]  # not in one piece
    sent = Output(
        text="a", texts=("a", "b"), images=(picture,), audio=(Audio(samples, 8000, b"MThd", {"tempo": 90.0}),),
        seeds=(1, 2), finish="length", stats={"tokens_per_second": np.float32(1.5)}, notes=(("x", {"count": 1}),),
        requests=(requests.ImageRequest(prompt="x"),),
    )  # fmt: skip
    got = cross(sent)
    assert got.images[0].tobytes() == picture.tobytes()
    assert (got.images[0].mode, got.images[0].size) == ("RGB", (7, 5))
    assert np.array_equal(got.audio[0].samples, samples)
    assert got.audio[0].samples.flags.writeable
    assert (got.audio[0].midi, got.audio[0].played, got.audio[0].rate) == (b"MThd", {"tempo": 90.0}, 8000)
    assert (got.text, got.texts, got.seeds, got.finish) == (sent.text, sent.texts, sent.seeds, sent.finish)
    assert (got.stats, got.notes, got.requests) == ({"tokens_per_second": 1.5}, sent.notes, sent.requests)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "CMYK", "I;16", "F", "P"])
def test_a_picture_of_any_mode_looks_the_same(mode: str) -> None:
    picture = Image.new("RGB", (9, 4), (200, 30, 60)).convert("L" if mode == "I;16" else mode).convert(mode)
    assert cross(picture).convert("RGBA").tobytes() == picture.convert("RGBA").tobytes()


def test_arrays_of_no_length_arrive() -> None:
    got = cross(np.zeros((2, 0), dtype=np.float32))
    assert (got.shape, got.dtype) == ((2, 0), np.float32)


def test_paths_and_devices_arrive() -> None:
    assert cross((Path("a/b"), Device("cuda", 1, "Card", 4))) == (Path("a/b"), Device("cuda", 1, "Card", 4))


@pytest.mark.parametrize(
    "value", [object(), Exception("x"), {1, 2}, len, np.array([object()])], ids=lambda value: type(value).__name__
)
def test_what_is_not_data_cannot_be_sent(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot cross"):
        wire.encode(value, [])


@pytest.mark.parametrize(
    "tree",
    [["Path", ["x", 1]], ["StudioError", ["code", "x"]], ["Output", ["nothing", 1]], ["array", 0, "O", 1],
     ["array", 0, "f4", 99]],
    ids=str,
)  # fmt: skip
def test_what_is_not_data_cannot_be_received(tree: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        wire.decode(tree, [bytearray(8)])


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    (read_a, write_b), (read_b, write_a) = os.pipe(), os.pipe()
    files = [os.fdopen(read_a, "rb"), os.fdopen(write_a, "wb"), os.fdopen(read_b, "rb"), os.fdopen(write_b, "wb")]
    yield Channel(files[0], files[1]), Channel(files[2], files[3])
    for file in files:
        if not file.closed:
            file.close()


def test_messages_arrive_whole_and_in_order_from_several_threads(ends) -> None:
    here, there = ends

    def tell(name: str) -> None:
        for number in range(50):
            here.send("step", name, number, bytes(5000))

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    got = [there.receive() for _ in range(150)]
    for thread in threads:
        thread.join()
    assert all(message[3] == bytes(5000) for message in got)
    for name in "abc":
        assert [message[2] for message in got if message[1] == name] == list(range(50))


def test_a_value_that_cannot_cross_leaves_the_channel_as_it_was(ends) -> None:
    here, there = ends
    with pytest.raises(TypeError):
        here.send("answer", b"blob", object())
    here.send("text", "still here")
    assert there.receive() == ("text", "still here")


def test_the_end_of_the_other_side_is_said_so(ends) -> None:
    here, there = ends
    here.hang_up()
    here.hang_up()
    with pytest.raises(Closed):
        there.receive()
    with pytest.raises(Closed):
        here.send("text", "nobody")


@pytest.mark.parametrize(
    "noise", [b"hello, this is no message", struct.pack("<I", 2) + b"{}", struct.pack("<I", 20) + b"[[],", b"\x01"]
)
def test_noise_is_the_end_and_not_a_crash(ends, noise: bytes) -> None:
    here, there = ends
    here._writing.write(noise)
    here.hang_up()
    with pytest.raises(Closed):
        there.receive()
