"""Textual inversions: read as the bare library reads them once it has changed a tokenizer; here none is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny import Recorder, card
from tiny_pipelines import pixels

from studio.engines.image import embeddings, prompt_chunks
from studio.engines.image.diffusion import DiffusionEngine
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=2, guidance_scale=4.0, seed=5)
WIDTH = 32


def vectors(count: int, seed: int, width: int = WIDTH) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) * 0.1


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embeddings")
    save_file({"emb_params": vectors(3, 1)}, folder / "Moss-Style.safetensors")
    save_file({"<one>": vectors(1, 2)[0]}, folder / "one.safetensors")
    save_file({"clip_l": vectors(2, 3), "clip_g": vectors(2, 4)}, folder / "pair.safetensors")
    save_file({"emb_params": vectors(2, 5, 48)}, folder / "wide.safetensors")
    save_file({f"lora_{part}": vectors(2, part) for part in range(9)}, folder / "adaptation.safetensors")
    (folder / "broken.safetensors").write_bytes(b"no")
    return folder


def told(model, folder, prompt, negative=""):
    from studio.engines.image import conditioning

    pipe = model._family.pipe
    found, notes = embeddings.read(pipe, (prompt, negative), (folder,))
    member = model._family.member(over=False)
    with torch.inference_mode():
        words = conditioning.condition(pipe, member.accepts, prompt, negative, 4.0, 0, 4, 0, found)
    return words.arguments, notes


@pytest.mark.parametrize("prompt", ["a red Moss-Style heart", "a moss-style", "one, a MOSS-STYLE picture", "one"])
def test_words_mean_what_they_mean_to_a_pipeline_that_was_given_new_tokens(folders, painters, files, prompt):
    from diffusers import StableDiffusionPipeline

    bare = StableDiffusionPipeline.from_pretrained(folders["stable_diffusion"])
    bare.load_textual_inversion({"<moss>": vectors(3, 1)}, token="<moss>")
    bare.load_textual_inversion({"<uno>": vectors(1, 2)}, token="<uno>")
    written = prompt.lower().replace("moss-style", "<moss>").replace("one", "<uno>")
    with torch.inference_mode():
        expected, negative = bare.encode_prompt(written, "cpu", 1, True, "a heart")
    model = painters("stable_diffusion")
    pipe = model._family.pipe
    before = len(pipe.tokenizer), pipe.text_encoder.get_input_embeddings().weight.shape
    found, notes = told(model, files, prompt, "a heart")
    assert notes == []
    assert torch.allclose(found["prompt_embeds"], expected, atol=1e-6)
    assert torch.allclose(found["negative_prompt_embeds"], negative, atol=1e-6)
    assert before == (len(pipe.tokenizer), pipe.text_encoder.get_input_embeddings().weight.shape)


def test_both_halves_of_a_pair_go_to_their_encoders(folders, painters, files):
    from diffusers import StableDiffusionXLPipeline

    bare = StableDiffusionXLPipeline.from_pretrained(folders["stable_diffusion_xl"])
    halves = ((bare.text_encoder, bare.tokenizer, 3), (bare.text_encoder_2, bare.tokenizer_2, 4))
    for encoder, tokenizer, seed in halves:
        given = {"<two>": vectors(2, seed)}
        bare.load_textual_inversion(given, token="<two>", text_encoder=encoder, tokenizer=tokenizer)
    with torch.inference_mode():
        expected, _, pooled, _ = bare.encode_prompt("a red <two> heart", None, "cpu", 1, False)
    found, notes = told(painters("stable_diffusion_xl"), files, "a red pair heart")
    assert notes == []
    assert torch.allclose(found["prompt_embeds"], expected, atol=1e-6)
    assert torch.allclose(found["pooled_prompt_embeds"], pooled, atol=1e-6)


def test_a_weight_counts_for_all_vectors_of_a_name(painters, files):
    model = painters("stable_diffusion")
    tokenizer = model._family.pipe.tokenizer
    ((*tokens,),) = prompt_chunks.split(tokenizer, "a (moss-style:1.5), heart", {"Moss-Style": 3})
    assert [token.weight for token in tokens] == [1.0, 1.5, 1.5, 1.5, 1.0, 1.0]
    assert [token.vector for token in tokens][1:4] == [("Moss-Style", at) for at in range(3)]
    plain, heavy = (told(model, files, text)[0]["prompt_embeds"] for text in ("a moss-style", "a (moss-style:1.5)"))
    assert not torch.allclose(plain, heavy)


def test_a_name_is_a_word_and_is_not_parted_between_chunks(painters):
    tokenizer = painters("stable_diffusion")._family.pipe.tokenizer
    split = prompt_chunks.split
    assert not any(token.vector for token in split(tokenizer, "mosses a_moss moss1 2moss", {"moss": 2})[0])
    assert sum(token.vector is not None for token in split(tokenizer, "(moss) moss, MOSS.", {"moss": 2})[0]) == 6
    first, second = split(tokenizer, "red " * 74 + "moss heart", {"moss": 3})
    assert (len(first), len(second)) == (74, 4)
    assert [len(each) for each in split(tokenizer, "moss", {"moss": 80})] == [75, 5]
    (longest,) = split(tokenizer, "moss style", {"moss": 2, "moss style": 3})
    assert [token.vector for token in longest] == [("moss style", at) for at in range(3)]


@pytest.mark.parametrize("kind", ["stable_diffusion", "latent_consistency"])
def test_pictures_follow_it_and_only_while_it_is_named(painters, files, kind):
    model, here = painters(kind), Recorder(adapters=files)
    plain = pixels(model.run(ASK, Recorder()))
    named = replace(ASK, prompt="a red heart, moss-style")
    painted = model.run(named, here)
    assert pixels(painted) not in (plain, pixels(model.run(named, Recorder())))
    assert painted.notes == ()
    assert pixels(model.run(ASK, Recorder(adapters=files))) == plain
    if kind == "stable_diffusion":
        against = model.run(replace(ASK, negative_prompt="moss-style"), Recorder(adapters=files))
        assert pixels(against) not in (plain, pixels(painted))
    hooks = model._family.pipe.text_encoder.get_input_embeddings()._forward_hooks
    assert not hooks


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("stable_diffusion", "wide", "embedding_wrong"), ("stable_diffusion", "pair", "embedding_wrong"),
        ("stable_diffusion_xl", "one", "embedding_wrong"), ("icons", "one", "no_embeddings"),
        ("z_image", "one", "no_embeddings"), ("stable_diffusion", "adaptation", None),
        ("stable_diffusion", "broken", None),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_word_and_said(painters, files, kind, name, code):
    model, asked = painters(kind), replace(ASK, prompt=f"a {name} heart")
    painted = model.run(asked, Recorder(adapters=files))
    assert [note for note in painted.notes if "embedding" in note[0]] == ([(code, {"names": name})] if code else [])
    assert pixels(painted) == pixels(model.run(asked, Recorder()))


def test_tokens_are_counted_with_their_vectors(folders, files):
    def count(kind: str, prompt: str) -> int:
        return ENGINE.tokens(card("diffusion"), folders[kind], prompt, (files,)).count

    assert count("stable_diffusion", "a red heart, moss-style") == 4 + 3
    assert count("stable_diffusion", "a wide heart") == 3
    assert count("stable_diffusion_xl", "a pair heart") == 4
    assert (
        count("icons", "a moss-style heart")
        == ENGINE.tokens(card("diffusion"), folders["icons"], "a moss-style heart").count
    )
