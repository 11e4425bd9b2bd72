"""Prompts of any length, BREAK, and prompts that change while a picture is painted: against the bare encoders."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import Recorder
from tiny_pipelines import pixels

from studio.engines.image import conditioning, prompt_chunks
from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.image.prompt_chunks import Token
from studio.requests import ImageRequest
from studio.results import Tokens

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=4, guidance_scale=4.0, seed=5)
CHUNKED = ("stable_diffusion", "latent_consistency", "stable_diffusion_xl")
LONG = "a red heart, hello world a picture of Paris, " * 12 + "the capital"


def paint(model, **changes) -> bytes:
    return pixels(model.run(replace(ASK, **changes), Recorder()))[0]


def told(model, prompt, negative="", guidance=4.0, skip=0, steps=4):
    member = model._family.member(over=False)
    with torch.inference_mode():
        return conditioning.condition(member.pipe, member.accepts, prompt, negative, guidance, skip, steps, 0)


def a1111(words: list[str]) -> list[list[str]]:
    """The borders of `tokenize_line` in stable-diffusion-webui, for words of one token each."""
    chunks: list[list[str]] = []
    chunk: list[str] = []
    comma = -1

    def close() -> None:
        nonlocal chunk, comma
        chunks.append(chunk)
        chunk, comma = [], -1

    for word in words:
        if word == "BREAK":
            close()
            continue
        if word == ",":
            comma = len(chunk)
        elif len(chunk) == 75 and comma != -1 and len(chunk) - comma <= 20:
            kept, moved = chunk[: comma + 1], chunk[comma + 1 :]
            chunk = kept
            close()
            chunk = moved
        if len(chunk) == 75:
            close()
        chunk.append(word)
    if chunk or not chunks:
        close()
    return chunks


@torch.inference_mode()
def by_hand(pipe, chunks: list[list[str]], skip: int = 0):
    """Embeddings (1, 77 a chunk, width) and pooled ones straight from the encoders, word by word."""
    vocabulary = pipe.tokenizer.get_vocab()
    double = getattr(pipe, "text_encoder_2", None)
    parts, pooled = [], None
    for encoder in filter(None, (pipe.text_encoder, double)):
        states = []
        for chunk in chunks:
            ids = [3, *(vocabulary.get(word, 2) for word in chunk), 1]
            read = encoder(torch.tensor([ids + [0] * (77 - len(ids))]), output_hidden_states=True)
            if double is not None:
                states.append(read.hidden_states[-(skip + 2)])
                if encoder is double and pooled is None:
                    pooled = read.text_embeds
            elif skip:
                states.append(encoder.final_layer_norm(read.hidden_states[-(skip + 1)]))
            else:
                states.append(read.last_hidden_state)
        parts.append(torch.cat(states, dim=1))
    return torch.cat(parts, dim=-1), pooled


def words(text: str) -> list[str]:
    return [word if word == "BREAK" else word.lower() for word in text.replace(",", " , ").split()]


@pytest.mark.parametrize("kind", CHUNKED)
@pytest.mark.parametrize("prompt", [LONG, "red " * 76, "a heart BREAK red", "BREAK a", "red " * 60 + ", " + "a " * 300])
def test_embeddings_are_those_of_the_bare_encoders_chunk_by_chunk(painters, kind, prompt):
    model = painters(kind)
    expected, pooled = by_hand(model._family.pipe, a1111(words(prompt)))
    found = told(model, prompt).arguments
    assert torch.equal(found["prompt_embeds"], expected)
    if pooled is not None:
        assert torch.equal(found["pooled_prompt_embeds"], pooled)
    if kind != "latent_consistency":
        assert found["negative_prompt_embeds"].shape == expected.shape


@pytest.mark.parametrize("kind", CHUNKED)
def test_a_prompt_that_fits_is_left_to_the_bare_library(painters, kind):
    for prompt in ("", "a red heart", "red " * 75):
        assert told(painters(kind), prompt).arguments["prompt"] == prompt
    assert told(painters(kind), "a heart BREAK").arguments["prompt"].strip() == "a heart"


@pytest.mark.parametrize("kind", CHUNKED[::2])
def test_the_shorter_of_both_prompts_is_padded_with_empty_chunks(painters, kind):
    model = painters(kind)
    pipe = model._family.pipe
    found = told(model, "a red heart", "hello " * 80).arguments
    expected, pooled = by_hand(pipe, [["a", "red", "heart"], []])
    negative, other = by_hand(pipe, [["hello"] * 75, ["hello"] * 5])
    assert torch.equal(found["prompt_embeds"], expected)
    assert torch.equal(found["negative_prompt_embeds"], negative)
    if pooled is not None:
        assert torch.equal(found["pooled_prompt_embeds"], pooled)
        assert torch.equal(found["negative_pooled_prompt_embeds"], other)
    assert paint(model, negative_prompt="hello " * 80) != paint(model, negative_prompt="hello " * 75)


def test_layers_are_left_out_of_every_chunk(painters):
    model = painters("stable_diffusion")
    expected, _ = by_hand(model._family.pipe, [["red"] * 75, ["red"] * 5], skip=1)
    assert torch.equal(told(model, "red " * 80, skip=1).arguments["prompt_embeds"], expected)


@pytest.mark.parametrize("kind", CHUNKED[::2])
def test_weights_fall_on_their_tokens_in_every_chunk_and_each_keeps_its_mean(painters, kind):
    model = painters(kind)
    plain, _ = by_hand(model._family.pipe, [["red"] * 75, ["a", "heart"]])
    found = told(model, "red " * 75 + "BREAK a (heart:1.5)").arguments["prompt_embeds"]
    assert torch.equal(found[:, :77], plain[:, :77])
    width = model._family.pipe.text_encoder.config.hidden_size
    for start in range(0, plain.shape[-1], width):
        part = plain[:, 77:, start : start + width].clone()
        before = part.mean() if part.mean().abs() > 0.05 * part.abs().mean() else part.abs().mean()
        by_size = part.mean().abs() <= 0.05 * part.abs().mean()
        part[:, 2] *= 1.5
        part *= before / (part.abs().mean() if by_size else part.mean())
        assert torch.allclose(found[:, 77:, start : start + width], part, atol=1e-6)


def test_a_chunk_ends_behind_a_comma_or_before_a_word_that_would_be_cut():
    def ends(tokens, room=75):
        return [len(chunk) for chunk in prompt_chunks.cut([tokens], room)]

    plain, comma, inside = Token(5, 1.0), Token(6, 1.0, comma=True), Token(7, 1.0, inside=True)
    assert ends([plain] * 80) == [75, 5]
    assert ends([plain] * 60 + [comma] + [plain] * 40) == [61, 40]
    assert ends([plain] * 54 + [comma] + [plain] * 40) == [75, 20]
    assert ends([plain] * 55 + [comma] + [plain] * 40) == [56, 40]
    assert ends([plain] * 75 + [comma, plain]) == [75, 2]
    assert ends([plain] * 74 + [plain, inside, inside]) == [74, 3]
    assert ends([plain] + [inside] * 99) == [75, 25]


def test_the_page_counts_as_many_tokens_as_chunks_hold(folders):
    from tiny import card

    def count(prompt, kind="stable_diffusion"):
        return ENGINE.tokens(card("diffusion"), folders[kind], prompt)

    assert count("red " * 75) == Tokens(75, 75, "")
    assert count("red " * 76) == Tokens(76, 150, "")
    assert count("red BREAK a heart") == Tokens(3, 150, "")
    assert count("[red:a heart:0.5]") == Tokens(1, 75, "")
    assert count("red BREAK heart", "icons").count == 2


@pytest.mark.parametrize("kind", CHUNKED)
def test_long_prompts_paint_without_a_note_and_their_end_counts(painters, kind):
    model = painters(kind)
    output = model.run(replace(ASK, prompt=LONG), Recorder())
    assert output.notes == ()
    assert pixels(output)[0] != paint(model, prompt=LONG.replace("the capital", "red"))


def test_models_that_cannot_say_what_they_do_not_read_of_both_prompts(painters):
    output = painters("icons").run(
        replace(ASK, prompt="red BREAK " + "a " * 40, negative_prompt="hello " * 30), Recorder()
    )
    assert output.notes == (("no_break", {}), ("prompt_cut", {"count": 19}), ("negative_cut", {"count": 8}))
    plain = painters("z_image").run(replace(ASK, prompt="red heart", guidance_scale=1.0), Recorder())
    broken = painters("z_image").run(replace(ASK, prompt="red BREAK heart", guidance_scale=1.0), Recorder())
    assert broken.notes == (("no_break", {}),)
    assert pixels(broken) == pixels(plain)


# Prompts that change


@pytest.mark.parametrize("kind", [*CHUNKED, "icons"])
def test_a_prompt_that_changes_does_so_at_its_step(painters, kind):
    model = painters(kind)
    first, last = paint(model, prompt="a red heart"), paint(model, prompt="hello world")
    assert paint(model, prompt="[a red heart:hello world:0]") == last
    assert paint(model, prompt="[a red heart:hello world:4]") == first
    pictures = [paint(model, prompt=f"[a red heart:hello world:{step}]") for step in range(5)]
    assert len(set(pictures)) >= 4
    assert paint(model, prompt="[a red heart:hello world:0.5]") == pictures[2]
    assert paint(model, prompt="[a red heart|hello world]") not in pictures
    apart = [
        np.abs(np.frombuffer(one, np.uint8).astype(int) - np.frombuffer(first, np.uint8)).mean() for one in pictures
    ]
    assert apart[0] > apart[2] > apart[4] == 0


@pytest.mark.parametrize("kind", ["stable_diffusion", "stable_diffusion_xl"])
def test_a_step_is_told_what_the_bare_library_would_be_told(painters, kind):
    """The tensors that the loop goes on with are those of a run with the other prompt from the start."""
    model = painters(kind)
    found = told(model, "[a red heart:hello world:0.5]", "[blur::0.25]")
    pipe = model._family.pipe
    assert list(found.later) == [1, 2]
    (one, pooled), (two, _) = by_hand(pipe, [["a", "red", "heart"]]), by_hand(pipe, [["hello", "world"]])
    assert torch.equal(found.arguments["prompt_embeds"], one)
    assert torch.equal(found.later[1]["prompt_embeds"][1:], one)
    assert torch.equal(found.later[2]["prompt_embeds"][1:], two)
    assert ("add_text_embeds" in found.later[2]) == (pooled is not None)


def test_schedulers_of_more_steps_stretch_the_timetable(painters):
    model = painters("icons")
    assert len({paint(model, scheduler="Heun", prompt=f"[red:hello world:{step}]") for step in range(5)}) == 5


@pytest.mark.parametrize("changes", [{"hires_scale": 2.0}, {"hires_scale": 2.0, "prompt": "[red:hello world:1.5]"}])
def test_prompts_change_in_second_passes_too(painters, changes):
    model = painters("icons")
    base = {"width": 64, "height": 64, "hires_strength": 0.8, "prompt": "[red:hello world:0.5]", **changes}
    assert paint(model, **base) not in (paint(model, **(base | {"prompt": one})) for one in ("red", "hello world"))


def test_a_model_that_reads_one_prompt_reads_what_comes_first_and_says_so(painters):
    model = painters("z_image")
    output = model.run(replace(ASK, prompt="[red:hello:0.5] heart", guidance_scale=1.0), Recorder())
    assert output.notes == (("no_editing", {}),)
    assert pixels(output)[0] == paint(model, prompt="red heart", guidance_scale=1.0)


def test_what_names_what_is_not_here_is_left_out_and_said(painters):
    model = painters("icons")
    output = model.run(
        replace(ASK, prompt="a red heart, <hypernet:fur:1>", negative_prompt="embedding:bad"), Recorder()
    )
    assert output.notes == (("no_tags", {"names": "<hypernet:fur:1>, embedding:bad"}),)
    assert pixels(output)[0] == paint(model)
    joined = model.run(replace(ASK, prompt="a heart AND a world", guidance_scale=1.0), Recorder())
    assert joined.notes == (("no_and", {}),)
