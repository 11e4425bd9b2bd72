"""Weights that leave their device and come back. The device is a stand-in: copies in this machine's own memory."""

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tiny_captioners
import tiny_pipelines
import torch
from elsewhere import CUDA, Elsewhere, on
from test_caption import ASK as PICTURE
from test_composer import JIG
from test_diffusion import ASK as PAINT
from test_diffusion_lora import make_lora
from test_music import ASK as PIECE
from tiny import Recorder, card, load
from tiny_musicgen import save_musicgen
from tiny_soundfont import soundfont

from studio.devices import memory
from studio.devices.device import Device
from studio.engines.base import Parkable
from studio.engines.caption.vision_language import CaptionEngine
from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.image.upscaler import UpscalerEngine
from studio.engines.music.audio_diffusion import AudioDiffusionEngine
from studio.engines.music.composer import ComposerEngine
from studio.engines.music.musicgen import MusicgenEngine
from studio.engines.shared import parking, torch_loading
from studio.engines.shared.parking import Weights, mapped
from studio.engines.text.transformers_lm import TextEngine
from studio.request_parts import Lora, Message
from studio.requests import ChatRequest, UpscaleRequest
from studio.tasks.music import melody_tokens

CHAT = ChatRequest(messages=(Message("user", "hello world"),), max_tokens=5, temperature=0.0, seed=1)
ENGINES: dict[str, tuple[Any, Any]] = {
    "chat": (TextEngine(), CHAT),
    "stable_diffusion": (DiffusionEngine(), PAINT),
    "z_image": (DiffusionEngine(), PAINT),
    "flux2_klein": (DiffusionEngine(), PAINT),
    "stable_audio": (AudioDiffusionEngine(), PIECE),
    "ace_step": (AudioDiffusionEngine(), PIECE),
    "musicgen": (MusicgenEngine(), PIECE),
    "composer": (ComposerEngine(), JIG),
    "blip": (CaptionEngine(), PICTURE),
    "upscaler": (UpscalerEngine(), UpscaleRequest(image=PICTURE.image, scale=2)),
}


@pytest.fixture
def device(monkeypatch) -> Elsewhere:
    found = Elsewhere()
    monkeypatch.setattr(parking, "_over", found.over)
    return found


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory, chat_folder):
    from transformers import GPT2Config, GPT2LMHeadModel, Swin2SRConfig, Swin2SRForImageSuperResolution

    from train.music.model import tokenizer

    def composer(folder: Path) -> None:
        words = melody_tokens.WORDS
        sizes: dict[str, Any] = {"n_positions": 640, "n_embd": 32, "n_layer": 1, "n_head": 2}
        ends: dict[str, Any] = {"bos_token_id": words.index("start"), "eos_token_id": words.index("end")}
        GPT2LMHeadModel(GPT2Config(vocab_size=len(words), **sizes, **ends, pad_token_id=0)).save_pretrained(folder)
        tokenizer().save(str(folder / "tokenizer.json"))
        (folder / "soundfont").mkdir()
        (folder / "soundfont" / "tiny.sf2").write_bytes(soundfont())

    def upscaler(folder: Path) -> None:
        small: Any = {"embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 8, "image_size": 16}
        Swin2SRForImageSuperResolution(Swin2SRConfig(**small, upscale=2)).save_pretrained(folder)

    writers = {"composer": composer, "upscaler": upscaler, "musicgen": save_musicgen, "blip": tiny_captioners.blip}
    made = {"chat": chat_folder}

    def get(kind: str) -> Path:
        if kind not in made:
            torch.manual_seed(0)
            made[kind] = tmp_path_factory.mktemp(kind)
            if kind in writers:
                writers[kind](made[kind])
            else:
                getattr(tiny_pipelines, kind)().save_pretrained(made[kind])
        return made[kind]

    return get


def said(output: Any) -> Any:
    """Everything that an output is: words, then numbers."""
    numbers = [np.asarray(picture, float).ravel() / 255 for picture in output.images]
    return output.text, [*numbers, *(np.ravel(piece.samples) for piece in output.audio)]


def near(output: Any) -> Any:
    """The same but for rounding, which hangs on where in memory the numbers lie."""
    words, numbers = said(output)
    return words, [pytest.approx(one, abs=1 / 200) for one in numbers]


def anonymous() -> int:
    """Bytes of this process that no file stands behind."""
    memory.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def big_chat(folder: Path, chat_folder: Path, **changes: Any) -> Path:
    """A language model of 64 MB in bfloat16."""
    import shutil

    from tiny import tiny_llama

    shutil.copytree(chat_folder, folder, dirs_exist_ok=True)
    model = tiny_llama(320, hidden_size=1024, intermediate_size=4096, num_attention_heads=8, **changes)
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ENGINES)
def test_a_model_that_left_its_device_answers_as_before(device, folder_of, kind):
    engine, ask = ENGINES[kind]
    model = load(engine, folder_of(kind))
    parks: Any = model
    assert isinstance(parks, Parkable)
    before = near(model.run(ask, Recorder()))
    on(device, model)
    assert device.held() >= 0.9 * model._weights.nbytes()
    assert said(model.run(ask, Recorder())) == before
    model.park()
    assert device.held() == 0
    model.place()
    assert device.held() >= 0.9 * model._weights.nbytes()
    assert said(model.run(ask, Recorder())) == before
    model.close()
    memory.collect()  # as the manager does
    assert device.held() == 0


@pytest.mark.parametrize("kind", ENGINES)
def test_on_a_processor_nothing_moves(device, folder_of, kind):
    engine, ask = ENGINES[kind]
    model = load(engine, folder_of(kind))
    before = near(model.run(ask, Recorder()))
    assert model.parked_nbytes() is not None
    model.park()
    model.place()
    assert said(model.run(ask, Recorder())) == before
    assert (device.there, device.back) == ([], 0)
    model.close()


def test_parked_weights_are_those_in_the_file_and_no_copy(device, chat_folder, tmp_path):
    model = load(TextEngine(), big_chat(tmp_path, chat_folder))
    places = [one.data_ptr() for one in model._model.parameters()]
    begun = anonymous()
    on(device, model)
    whole = model.nbytes()
    assert whole > 60e6
    assert anonymous() - begun > 0.9 * whole  # the stand-in's memory is ours
    assert model.parked_nbytes() < 1e6
    for _ in range(3):
        model.park()
        assert [one.data_ptr() for one in model._model.parameters()] == places
        assert device.back < 1e5  # buffers
        assert anonymous() - begun < 4e6
        model.place()
    model.close()


def test_weights_that_were_cast_count_as_memory_and_are_carried_both_ways(device, folder_of):
    model = load(TextEngine(), folder_of("chat"), options={"dtype": "bfloat16"})
    before = near(model.run(CHAT, Recorder()))
    assert model.parked_nbytes() == model._weights.nbytes()
    on(device, model).park()
    assert device.back == model._weights.nbytes()
    assert device.held() == 0
    model.place()
    assert said(model.run(CHAT, Recorder())) == before


def test_tensors_that_share_memory_go_on_sharing_it(device, tmp_path, chat_folder):
    model = load(TextEngine(), big_chat(tmp_path, chat_folder, tie_word_embeddings=True))
    model._model.model.layers[0].again = torch.nn.Parameter(model._model.lm_head.weight[:2])
    on(device, model)
    inner = model._model
    for _ in range(2):
        assert inner.lm_head.weight is inner.model.embed_tokens.weight
        again = inner.model.layers[0].again
        assert again.untyped_storage().data_ptr() == inner.lm_head.weight.untyped_storage().data_ptr()
        assert device.held() == model.nbytes()
        model.park()
        model.place()


@pytest.mark.parametrize("room", [0, 1, 7])
def test_a_fault_in_the_middle_of_a_move_leaves_nothing_on_the_device(device, folder_of, room):
    model = load(TextEngine(), folder_of("chat"))
    weights = Weights(CUDA, *model._weights._tops)
    places = [one.data_ptr() for one in model._model.parameters()]
    device.room = room
    with pytest.raises(torch.OutOfMemoryError) as failure:
        weights.place()
    assert failure.tb is not None  # and it is held
    assert device.held() == 0
    assert [one.data_ptr() for one in model._model.parameters()] == places


def test_a_full_device_is_said_in_plain_words(device, folder_of, monkeypatch):
    monkeypatch.setattr(torch_loading, "_state", {})
    model = load(TextEngine(), folder_of("chat"))
    model._device = CUDA
    on(device, model).park()
    device.room = 0
    with pytest.raises(torch_loading.StudioError) as error:
        model.place()
    assert error.value.code == "out_of_memory"


def test_an_adaptation_in_use_means_no_parking(folder_of, tmp_path):
    make_lora(tmp_path, "words", kind="stable_diffusion", text=True)
    model = load(DiffusionEngine(), folder_of("stable_diffusion"))
    free = model.parked_nbytes()
    assert free is not None
    model.run(replace(PAINT, loras=(Lora("words", 1.0),)), Recorder(adapters=tmp_path))
    assert model.parked_nbytes() is None
    model.run(PAINT, Recorder(adapters=tmp_path))
    assert model.parked_nbytes() == free


def test_what_another_library_moves_or_packs_does_not_park(device):
    layer = torch.nn.Linear(2, 2)
    assert Weights(CUDA, layer).parked_nbytes() == 24
    assert Weights(Device("mps"), layer).parked_nbytes() is None
    layer._hf_hook = object()  # pyright: ignore[reportArgumentType]
    offloaded = Weights(CUDA, layer)
    assert offloaded.parked_nbytes() is None
    offloaded.place()
    assert device.there == []

    class Packed(torch.nn.Parameter):
        pass

    packed = torch.nn.Linear(2, 2)
    packed.weight = Packed(torch.zeros(2, 2))
    assert Weights(CUDA, packed).parked_nbytes() is None


def test_a_conversation_is_not_kept_while_its_model_is_parked(folder_of):
    model = load(TextEngine(), folder_of("chat"))
    model.run(CHAT, Recorder())
    assert model.run(CHAT, Recorder()).stats["cached_tokens"] > 0
    full = model.nbytes()
    model.park()
    assert model.nbytes() == model._weights.nbytes() < full
    model.place()
    assert model.run(CHAT, Recorder()).stats["cached_tokens"] == 0


def test_buffers_come_along_as_they_are_now_and_so_does_what_lies_beside_them(monkeypatch):
    class Layer(torch.nn.Module):
        seen: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(2))
            self.register_buffer("nothing", None)
            self.angles: Any = None

    def over(value: Any, device: str) -> Any:
        return parking._each(value, lambda one: torch.full_like(one, 3.0, device=device))

    monkeypatch.setattr(parking, "_over", over)
    layer = Layer()
    weights = Weights(Device("meta"), layer)
    weights.place()
    assert layer.seen.device.type == "meta"
    layer.angles = {"cos": [torch.empty(2, device="meta")], "size": 2}  # as layers keep what they work out on the way
    weights.park()
    assert layer.seen.tolist() == layer.angles["cos"][0].tolist() == [3.0, 3.0]
    weights.place()
    assert layer.seen.device.type == layer.angles["cos"][0].device.type == "meta"
    assert layer.angles["size"] == 2
    assert layer.nothing is None


@pytest.mark.parametrize("kind", ["chat", "stable_diffusion", "musicgen"])
def test_nothing_is_left_of_a_model_that_was_parked_and_closed(device, folder_of, kind):
    engine, ask = ENGINES[kind]
    model = on(device, load(engine, folder_of(kind)))
    model.run(ask, Recorder())
    model.park()
    held = [weakref.ref(top) for top in model._weights._tops]
    held += [weakref.ref(one) for top in model._weights._tops for one in top.parameters()]
    model.close()
    gc.collect()
    assert [one for one in held if one() is not None] == []


def test_only_what_a_file_stands_behind_counts_as_mapped(tmp_path):
    (tmp_path / "file").write_bytes(bytes(1 << 16))
    file = torch.from_file(str(tmp_path / "file"), size=1 << 16, dtype=torch.uint8)
    own, shared = torch.zeros(1 << 16), torch.zeros(1 << 16).share_memory_()
    linux = psutil.LINUX
    assert mapped([file, own, shared, file[100:], torch.empty(0)]) == [linux, False, False, linux, False]


@pytest.mark.parametrize(("dtype", "moved"), [(torch.float32, False), (torch.float16, True)])
def test_weights_are_mapped_first_where_they_can_come_back_and_else_go_straight_to_the_device(folder_of, dtype, moved):
    placed = {"device_map": {"": "cuda:0"}} if moved else {}
    assert torch_loading.placement(card("text"), CUDA, dtype, folder_of("chat")) == placed
    assert torch_loading.placement(card("text"), Device("cpu"), dtype, folder_of("chat")) == {}
    assert torch_loading.placement(card("text"), Device("mps"), dtype, folder_of("chat")) == {"device_map": {"": "mps"}}


def test_a_model_for_a_gpu_is_built_in_memory_and_then_placed(device, folder_of, monkeypatch):
    monkeypatch.setattr(torch_loading, "_state", {})
    options = {"dtype": "float32"}
    model = TextEngine().load(card("text", options=options), folder_of("chat"), CUDA, lambda _: None)
    assert device.held() == model.nbytes()
    assert (
        model.run(CHAT, Recorder()).text
        == load(TextEngine(), folder_of("chat"), options=options).run(CHAT, Recorder()).text
    )
