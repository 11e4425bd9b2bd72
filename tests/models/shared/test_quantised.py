"""Models with most of their weights in 8 bits: the real classes, tiny, beside themselves at full precision."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_captioners
import tiny_pipelines
import torch
from safetensors.torch import load_file
from test_diffusion_lora import make_lora
from tiny import CPU, Recorder, card, load
from tiny_musicgen import save_musicgen
from tiny_pipelines import pixels

from studio.devices.device import Device
from studio.engines.caption.vision_language import CaptionEngine
from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.music.audio_diffusion import AudioDiffusionEngine
from studio.engines.music.musicgen import MusicgenEngine
from studio.engines.shared import diffusers_loading, quantise, torch_loading
from studio.engines.text.transformers_lm import TextEngine
from studio.errors import StudioError
from studio.request_parts import Lora
from studio.requests import ImageRequest, MusicRequest

INT8 = {"quantise": "int8"}
PAINT = ImageRequest(prompt="a red heart", width=32, height=32, steps=2, guidance_scale=4.0, seed=5)
PLAY = MusicRequest(prompt="hello world", duration=1.0, steps=3, guidance_scale=3.0, temperature=0.0, seed=5)
CAPTIONERS = ("blip", "vision_encoder_decoder", "florence", "smolvlm", "qwen_vl")
PLAYERS = {"musicgen": MusicgenEngine(), "stable_audio": AudioDiffusionEngine(), "ace_step": AudioDiffusionEngine()}


@pytest.fixture(autouse=True)
def _tiny_layers_count(monkeypatch):
    monkeypatch.setattr(quantise, "_LEAST", 64)


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> dict[str, Path]:
    """Captioners and players, each saved once."""
    made = {}
    for kind in (*CAPTIONERS, *PLAYERS):
        torch.manual_seed(0)
        made[kind] = tmp_path_factory.mktemp(kind)
        if kind in CAPTIONERS:
            getattr(tiny_captioners, kind)(made[kind])
        elif kind == "musicgen":
            save_musicgen(made[kind])
        else:
            getattr(tiny_pipelines, kind)().save_pretrained(made[kind])
    return made


def both(engine, files, **options):
    """The model as it is and with its weights in 8 bits."""
    return load(engine, files, options=options), load(engine, files, options={**INT8, **options})


def apart(one, other) -> float:
    """How far two pictures are from each other, 0..255."""
    return float(np.abs(np.asarray(one.images[0], float) - np.asarray(other.images[0], float)).mean())


def smaller_and_as_foretold(engine, files, whole, small, **options):
    name = type(engine).__name__.removesuffix("Engine").lower()
    foretold = [engine.weights(card(name, options={**extra, **options}), files) for extra in ({}, INT8)]
    assert small.nbytes() < whole.nbytes()
    assert whole.nbytes() - small.nbytes() == pytest.approx(foretold[0] - foretold[1], rel=0.02)


@pytest.mark.parametrize("kind", tiny_pipelines.KINDS)
def test_a_picture_in_8_bits_is_nearly_the_same_and_repeats(folders, kind):
    engine = DiffusionEngine()
    whole, small = both(engine, folders[kind])
    smaller_and_as_foretold(engine, folders[kind], whole, small)
    first = small.run(PAINT, Recorder())
    assert pixels(small.run(PAINT, Recorder())) == pixels(first)
    plain = replace(PAINT, steps=1, guidance_scale=1.0)  # random weights multiply every difference
    there, another = (whole.run(replace(plain, seed=seed), Recorder()) for seed in (5, 6))
    assert apart(there, small.run(plain, Recorder())) < apart(there, another) / 10


@pytest.mark.parametrize("kind", PLAYERS)
def test_a_piece_in_8_bits_repeats_and_is_smaller_in_memory(others, kind):
    engine = PLAYERS[kind]
    whole, small = both(engine, others[kind])
    smaller_and_as_foretold(engine, others[kind], whole, small)
    first, second = (small.run(PLAY, Recorder()).audio[0].samples for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("kind", CAPTIONERS)
def test_a_captioner_in_8_bits_is_smaller_and_answers(others, kind):
    from test_caption import ASK

    engine = CaptionEngine()
    whole, small = both(engine, others[kind])
    assert small.nbytes() < whole.nbytes()
    if kind != "vision_encoder_decoder":  # GPT-2 has layers that look like linear ones in the file
        smaller_and_as_foretold(engine, others[kind], whole, small)
    assert small.run(ASK, Recorder()).text == small.run(ASK, Recorder()).text


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_language_model_in_8_bits_weighs_its_words_nearly_the_same(chat_folder, dtype):
    engine = TextEngine()
    whole, small = both(engine, chat_folder, dtype=dtype)
    smaller_and_as_foretold(engine, chat_folder, whole, small, dtype=dtype)
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        there, here = (model._model(ids).logits.float() for model in (whole, small))
    assert torch.nn.functional.cosine_similarity(there, here, dim=-1).min() > 0.99


def test_ends_norms_convolutions_and_decoders_stay_as_they_are(folders):
    small = load(DiffusionEngine(), folders["stable_diffusion"], options=INT8)
    pipe = small._family.pipe
    changed = {
        name
        for part in pipe.components.values()
        if isinstance(part, torch.nn.Module)
        for name, weight in part.named_parameters()
        if hasattr(weight, "__tensor_flatten__")
    }
    assert changed
    assert all("embed" not in name and "norm" not in name and "conv" not in name for name in changed)
    assert not any(hasattr(weight, "__tensor_flatten__") for weight in pipe.vae.parameters())
    assert not hasattr(pipe.unet.time_embedding.linear_1.weight, "__tensor_flatten__")


def test_the_last_projection_of_a_language_model_stays_as_it_is(chat_folder):
    small = load(TextEngine(), chat_folder, options=INT8)
    assert not hasattr(small._model.lm_head.weight, "__tensor_flatten__")
    assert hasattr(small._model.model.layers[0].mlp.up_proj.weight, "__tensor_flatten__")


def test_an_adaptation_works_on_a_painter_in_8_bits_and_leaves_no_trace(folders, tmp_path):
    make_lora(tmp_path, "first")
    small = load(DiffusionEngine(), folders["icons"], options=INT8)
    before = pixels(small.run(PAINT, Recorder()))
    adapted = small.run(replace(PAINT, loras=(Lora("first", 2.0),)), Recorder(adapters=tmp_path))
    assert pixels(adapted) != before
    assert pixels(small.run(PAINT, Recorder(adapters=tmp_path))) == before


def test_bytes_are_counted_inside_quantised_tensors():
    layers = torch.nn.Sequential(torch.nn.ModuleList([torch.nn.Linear(256, 512, bias=False)]))
    quantise.quantise(card("text", options=INT8), layers, CPU)
    assert torch_loading.nbytes(layers) == 512 * (256 + 4 + 1)


def test_on_a_processor_there_are_no_4_bits(chat_folder):
    with pytest.raises(StudioError) as refused:
        load(TextEngine(), chat_folder, options={"quantise": "int4"})
    assert refused.value.code == "variant_not_here"


def test_a_misspelt_kind_is_refused(chat_folder):
    with pytest.raises(StudioError) as refused:
        load(TextEngine(), chat_folder, options={"quantise": "int7"})
    assert refused.value.code == "not_a_choice"


def test_on_a_graphics_card_quantised_models_compute_in_bfloat16():
    assert torch_loading.compute_dtype(card("diffusion"), "float16", "cuda") == "float16"
    assert torch_loading.compute_dtype(card("diffusion", options=INT8), "float16", "cuda") == "bfloat16"


def test_a_pipeline_in_parts_is_as_large_as_its_largest_part(folders, monkeypatch):
    monkeypatch.setitem(torch_loading._state, "kind", "cuda")
    files = folders["stable_diffusion"]
    largest = max(
        sum(t.numel() * 2 for f in part.glob("*.safetensors") for t in load_file(f).values() if t.is_floating_point())
        for part in files.glob("*/")
    )
    assert diffusers_loading.weights(card("diffusion", options={"offload": "model"}), files) == pytest.approx(
        largest, rel=0.02
    )


def test_layers_go_to_a_graphics_card_one_by_one(monkeypatch):
    from torchao import quantization

    asked = {}
    monkeypatch.setattr(quantization, "quantize_", lambda module, config, **how: asked.update(how, config=config))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (8, 6))
    layers = torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.Linear(100, 256))  # 128 weights share a scale
    quantise.quantise(card("text", options={"quantise": "int4"}), layers, Device("cuda", 1))
    assert asked["device"] == "cuda:1"
    assert asked["config"].int4_packing_format == "tile_packed_to_4d"
    assert [name for name, part in layers.named_modules() if asked["filter_fn"](part, name)] == ["0"]
