"""Faster ways of real classes: the same results as without, never for what they cannot do, and gone without a trace."""

import logging

import numpy as np
import pytest
import tiny_pipelines
from tiny import Recorder, card, load
from tiny_musicgen import save_musicgen

from studio.devices.device import Device
from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.music.musicgen import MusicgenEngine
from studio.engines.shared import diffusers_loading, faster, torch_loading
from studio.engines.text.transformers_lm import TextEngine
from studio.manager.faster import Judge
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest, MusicRequest

CARD = Device("cuda", 0, "A card")


class Told:
    """Says what it is told to say, and keeps what it hears."""

    def __init__(self) -> None:
        self.fast = False
        self.heard: list[tuple[str, bool, float]] = []
        self.bad: list[str] = []

    def pays(self, shape: str) -> bool:
        return self.fast and shape not in self.bad

    def took(self, shape: str, fast: bool, seconds: float) -> None:
        self.heard.append((shape, fast, seconds))

    def failed(self, shape: str) -> None:
        self.bad.append(shape)


@pytest.fixture(autouse=True)
def traced(monkeypatch):
    """torch traces the steps and hands them to no compiler, which would take a minute for each."""
    import torch

    monkeypatch.setattr(faster, "BACKEND", "eager")
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)  # it writes down every step of tracing
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield torch._dynamo.utils.counters
    torch._dynamo.reset()


@pytest.fixture
def told():
    return Told()


def chat(*turns: str, **changes) -> ChatRequest:
    messages = tuple(Message(("user", "assistant")[number % 2], text) for number, text in enumerate(turns))
    values = {"max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    return ChatRequest(messages=messages, **(values | {"seed": 1} | changes))


def test_a_chat_says_the_same_over_static_keys_and_reuses_them(chat_folder, told, traced):
    model = load(TextEngine(), chat_folder, options={"dtype": "float32"})
    model.hasten(told)
    asked = [chat("Hello world"), chat("Hello world", "abc", "Another"), chat("Something else")]
    plain = [model.run(request, Recorder()) for request in asked]
    told.fast = True
    quick = [model.run(request, Recorder()) for request in asked]
    assert [one.text for one in quick] == [one.text for one in plain]
    assert traced["stats"]["unique_graphs"] >= 1, "nothing was compiled"
    assert not traced["graph_break"]
    assert [one.stats["cached_tokens"] for one in quick[1:]] == [one.stats["cached_tokens"] for one in plain[1:]]
    cache = model._static._cache
    model.run(asked[0], Recorder())
    assert model._static._cache is cache, "what was compiled knows where it lies"
    assert [fast for _, fast, _ in told.heard] == [False] * 3 + [True] * 4
    assert all(seconds > 0 for _, _, seconds in told.heard)
    model.close()


def test_a_chat_that_outgrows_its_static_keys_gets_larger_ones(chat_folder, told):
    model = load(TextEngine(), chat_folder, options={"dtype": "float32"})
    model.hasten(told)
    long = chat("abc " * 120, max_tokens=300)
    plain = model.run(long, Recorder())
    told.fast = True
    model.run(chat("Hello"), Recorder())
    small = model._static._cache.layers[0].max_cache_len
    assert model.run(long, Recorder()).text == plain.text
    assert model._static._cache.layers[0].max_cache_len > small
    model.close()


def test_a_stopped_answer_leaves_the_static_keys_usable(chat_folder, told):
    model = load(TextEngine(), chat_folder, options={"dtype": "float32"})
    model.hasten(told)
    expected = model.run(chat("Hello world"), Recorder()).text
    told.fast = True
    assert model.run(chat("Hello world"), Recorder(stop_after=2)).finish == "cancelled"
    assert model.run(chat("Hello world"), Recorder()).text == expected
    model.close()


def test_a_chat_becomes_plain_again(chat_folder, told):
    model = load(TextEngine(), chat_folder, options={"dtype": "float32"})
    model.hasten(told)
    told.fast = True
    expected = model.run(chat("Hello world"), Recorder()).text
    told.fast = False
    assert model.run(chat("Hello world"), Recorder()).text == expected
    assert model._static._cache is None
    assert not hasattr(model._model, "_compiled_call")
    model.close()


def paint(**changes) -> ImageRequest:
    values = {"prompt": "red heart", "width": 32, "height": 32, "steps": 3, "guidance_scale": 4.0, "seed": 1}
    return ImageRequest(**(values | {"count": 1, "scheduler": "ddim"} | changes))


@pytest.mark.parametrize("kind", ["stable_diffusion", "z_image"])
def test_a_painting_is_the_same_with_its_repeated_blocks_compiled(kind, folders, told, traced):
    model = load(DiffusionEngine(), folders[kind], tasks=("image",))
    model.hasten(told)
    request = paint(scheduler="") if kind == "z_image" else paint()
    plain = model.run(request, Recorder())
    told.fast = True
    quick = model.run(request, Recorder())
    assert traced["stats"]["unique_graphs"] >= 1, "nothing was compiled"
    assert all(map(tiny_pipelines.near, tiny_pipelines.pixels(quick), tiny_pipelines.pixels(plain)))
    assert [(shape, fast) for shape, fast, _ in told.heard] == [("32x32", False), ("32x32", True)]
    told.fast = False
    assert tiny_pipelines.pixels(model.run(request, Recorder())) == tiny_pipelines.pixels(plain)
    network = model._faster._network
    assert all(part._compiled_call_impl is None for part in network.modules())
    model.close()


def test_what_hooks_into_the_painter_is_painted_plainly(folders, told):
    model = load(DiffusionEngine(), folders["stable_diffusion"], tasks=("image",))
    model.hasten(told)
    told.fast = True
    model.run(paint(), Recorder())
    assert model._faster.on
    model.run(paint(seamless="x"), Recorder())
    assert not model._faster.on
    assert [fast for _, fast, _ in told.heard] == [True], "it says nothing of what others take"
    model.close()


def test_a_parked_model_is_compiled_no_more(folders, told):
    model = load(DiffusionEngine(), folders["stable_diffusion"], tasks=("image",))
    model.hasten(told)
    told.fast = True
    model.run(paint(), Recorder())
    model.park()
    assert not model._faster.on
    model.close()


@pytest.fixture(scope="module", params=[1, 2])
def musicgen_folder(request, tmp_path_factory):
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("musicgen")
    save_musicgen(folder, channels=request.param)
    return folder


def music(**changes) -> MusicRequest:
    values = {"prompt": "red heart", "duration": 0.4, "guidance_scale": 3.0, "temperature": 0.0, "top_k": 0, "seed": 1}
    return MusicRequest(**(values | {"count": 1} | changes))


def test_a_piece_is_the_same_over_static_keys(musicgen_folder, told, traced):
    model = load(MusicgenEngine(), musicgen_folder, tasks=("music",), options={"dtype": "float32"})
    model.hasten(told)
    asked = [music(), music(guidance_scale=1.0), music(prompt="hello world a picture")]
    plain = [model.run(request, Recorder()) for request in asked]
    told.fast = True
    quick = [model.run(request, Recorder()) for request in (*asked, asked[2])]
    assert traced["stats"]["unique_graphs"] >= 1, "nothing was compiled"
    assert not traced["graph_break"], "a broken step is no CUDA graph"
    for one, other in zip((*plain, plain[2]), quick, strict=True):
        np.testing.assert_allclose(one.audio[0].samples, other.audio[0].samples, atol=1e-5)
    assert [fast for _, fast, _ in told.heard] == [False] * 3 + [True] * 4
    model.close()


def test_what_cannot_be_compiled_is_run_plainly_and_left(chat_folder, told, monkeypatch, caplog):
    model = load(TextEngine(), chat_folder, options={"dtype": "float32"})
    model.hasten(told)
    expected = model.run(chat("Hello world"), Recorder()).text

    def no_compiler(*_):
        raise RuntimeError("no working compiler was found")

    monkeypatch.setattr(faster, "BACKEND", no_compiler)
    told.fast = True
    recorder = Recorder()
    with caplog.at_level(logging.WARNING):
        made = model.run(chat("Hello world"), recorder)
    assert made.text == expected
    assert "".join(recorder.texts) == expected, "nobody sees a word twice"
    assert told.bad == ["answer"]
    assert "faster way does not work" in caplog.text
    model.close()


def test_an_error_of_a_run_is_not_taken_for_one_of_compiling(chat_folder, told, monkeypatch):
    model = load(TextEngine(), chat_folder, options={"dtype": "float32"})
    model.hasten(told)
    told.fast = True

    def broken(*_, **__):
        raise ValueError("broken")

    monkeypatch.setattr(model, "_chat", broken)
    with pytest.raises(ValueError, match="broken"):
        model.run(chat("Hello"), Recorder())
    assert told.bad == []
    model.close()


def test_weights_go_straight_to_a_card_where_that_is_wanted(chat_folder):
    wanted, usual = card("text", options={"straight": True}), card("text")
    assert torch_loading.placement(wanted, CARD, "torch.float32", chat_folder) == {"device_map": {"": "cuda:0"}}
    assert torch_loading.placement(usual, CARD, "torch.float32", chat_folder) == {}
    assert torch_loading.placement(wanted, Device("cpu"), "torch.float32", chat_folder) == {}
    assert diffusers_loading.straight(wanted, CARD) == {"device_map": "cuda"}
    assert diffusers_loading.straight(usual, CARD) == {}
    assert diffusers_loading.straight(wanted, Device("cuda", 1)) == {}, "diffusers knows no second card"
    assert diffusers_loading.straight(card("diffusion", options={"straight": True, "quantise": "int8"}), CARD) == {}


def test_what_a_model_asks_is_answered_by_the_judge(chat_folder):
    model = load(TextEngine(), chat_folder, options={"dtype": "float32"})
    pinned = [False]
    model.hasten(Judge("on").of("tiny", Device("cpu"), lambda: pinned[0]))
    model.run(chat("Hello"), Recorder())
    assert not model._faster.on
    pinned[0] = True
    model.run(chat("Hello"), Recorder())
    assert model._faster.on
    model.close()
