"""What a caption is held to while it is generated: its beginning, its words, and the same alone as among others."""

from dataclasses import replace

import pytest
import tiny_captioners
import torch
from test_caption import ENGINE, KINDS, png
from tiny import Recorder, load

from studio.engines.caption.constraints import forbidden
from studio.errors import StudioError
from studio.requests import CaptionRequest
from studio.tasks.caption.edits import lacking

ASK = CaptionRequest(image=png("red"), max_tokens=12, temperature=0.0, seed=1)
TOGETHER = ("blip", "vision_encoder_decoder", "florence")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Each model, loaded once."""
    made = {}
    for kind in KINDS:
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp(kind)
        getattr(tiny_captioners, kind)(folder)
        made[kind] = load(ENGINE, folder)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_goes_on_from_the_words_it_is_given(models, kind):
    context = Recorder()
    output = models[kind].run(replace(ASK, opening="a red house"), context)
    assert output.text.startswith("a red house")
    assert len(output.text) > len("a red house")
    assert "".join(context.texts).strip() == output.text
    assert output.notes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_that_is_forbidden_is_never_said(models, kind):
    context = Recorder()
    models[kind].run(ASK, context)
    first = context.texts[0].strip()  # these models know no whole words; what they say first stands for one
    output = models[kind].run(replace(ASK, forbid=(first,)), Recorder())
    assert not output.text.startswith(first)


@pytest.mark.parametrize("kind", KINDS)
def test_words_that_are_required_are_said(models, kind):
    model = models[kind]
    assert lacking(model.run(replace(ASK, max_tokens=30), Recorder()).text, ("heart", "cat")) != []
    output = model.run(replace(ASK, require=("heart", "cat"), max_tokens=30), Recorder())
    assert lacking(output.text, ("heart", "cat")) == []


@pytest.mark.parametrize("kind", TOGETHER)
@pytest.mark.parametrize("more", [{}, {"opening": "a red house"}, {"require": ("heart",), "forbid": ("red",)}])
def test_pictures_together_give_what_each_gives_alone(models, kind, more):
    model = models[kind]
    requests = [
        replace(ASK, image=png(colour, size), max_tokens=16, **more)
        for colour, size in (("red", (60, 40)), ("blue", (30, 50)), ("white", (64, 64)), ("black", (20, 90)))
    ]
    alone = [model.run(request, Recorder()) for request in requests]
    together = model.run_many(requests, Recorder())
    assert [output.text for output in together] == [output.text for output in alone]
    assert [output.finish for output in together] == [output.finish for output in alone]
    assert [output.stats["tokens"] for output in together] == [output.stats["tokens"] for output in alone]


def test_stop_ends_all_that_are_made_together(models):
    outputs = models["blip"].run_many([ASK, ASK], Recorder(stop_after=3))
    assert [output.finish for output in outputs] == ["cancelled", "cancelled"]


def test_a_picture_that_cannot_be_read_spoils_the_others_and_says_so(models):
    with pytest.raises(StudioError) as caught:
        models["blip"].run_many([ASK, replace(ASK, image=b"text")], Recorder())
    assert caught.value.code == "bad_image"


def test_on_a_processor_pictures_go_one_by_one(models):
    assert all(models[kind].together(ASK) == 1 for kind in KINDS)


@pytest.mark.parametrize("style", ["prompt", "tags", "alt"])
@pytest.mark.parametrize("kind", ["smolvlm", "qwen_vl"])
def test_a_model_that_can_be_asked_is_asked_for_the_style_and_the_words(models, monkeypatch, kind, style):
    asked = []
    inner = models[kind]._question
    monkeypatch.setattr(
        models[kind], "_question", lambda prompt, opening: asked.append(prompt) or inner(prompt, opening)
    )
    models[kind].run(replace(ASK, style=style, require=("house",)), Recorder())
    models[kind].run(ASK, Recorder())
    assert asked[0] != asked[1]
    assert "Mention: house." in asked[0]


def test_a_word_is_forbidden_in_every_form_that_a_tokenizer_gives_it(models):
    tokenizer = models["smolvlm"]._processor.tokenizer
    forms = {tokenizer.decode(ids).strip() for ids in forbidden(tokenizer, ("house", " "))}
    assert forms == {"house", "House"}
