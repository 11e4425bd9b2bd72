"""Picture to text: BLIP, vision-encoder-decoder, Florence-2, SmolVLM and Qwen-VL through the caption engine."""

import io
from dataclasses import replace

import pytest
import tiny_captioners
import torch
from PIL import Image
from tiny import Recorder, card, load

from studio.engines.caption.vision_language import CaptionEngine
from studio.errors import Cancelled, StudioError
from studio.requests import CaptionRequest

ENGINE = CaptionEngine()
KINDS = ("blip", "vision_encoder_decoder", "florence", "smolvlm", "qwen_vl")


def png(colour: str, size: tuple[int, int] = (60, 40)) -> bytes:
    file = io.BytesIO()
    shades = Image.linear_gradient("L").resize(size).convert("RGB")
    Image.blend(shades, Image.new("RGB", size, colour), 0.5).save(file, "PNG")
    return file.getvalue()


ASK = CaptionRequest(image=png("red"), max_tokens=10, temperature=0.0, seed=1)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Each model saved once."""
    made = {}
    for kind in KINDS:
        torch.manual_seed(0)
        made[kind] = tmp_path_factory.mktemp(kind)
        getattr(tiny_captioners, kind)(made[kind])
    return made


@pytest.fixture
def seen(monkeypatch):
    """What a model's `generate` was given."""

    def watch(model) -> list[dict]:
        calls: list[dict] = []
        inner = model._model.generate

        def generate(**inputs):
            calls.append(inputs)
            return inner(**inputs)

        monkeypatch.setattr(model._model, "generate", generate)
        return calls

    return watch


@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_streams_and_is_the_same_again(folders, kind):
    model = load(ENGINE, folders[kind])
    context = Recorder()
    output = model.run(ASK, context)
    assert output.text
    assert "".join(context.texts).strip() == output.text
    assert len(context.texts) > 1
    assert context.steps[-1] == (output.stats["tokens"], 10)
    assert output.notes == ()
    assert model.run(ASK, Recorder()).text == output.text
    assert ENGINE.weights(card("caption"), folders[kind]) == pytest.approx(model.nbytes(), rel=0.1)
    model.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_at_a_temperature(folders, kind):
    model = load(ENGINE, folders[kind])
    texts = [model.run(replace(ASK, temperature=2.0, seed=seed), Recorder()).text for seed in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("kind", KINDS)
def test_stop_keeps_the_words_so_far_and_the_next_caption_is_right(folders, kind):
    model = load(ENGINE, folders[kind])
    whole = model.run(ASK, Recorder())
    stopped = model.run(ASK, Recorder(stop_after=3))
    assert stopped.finish == "cancelled"
    assert stopped.stats["tokens"] == 3
    assert whole.text.startswith(stopped.text)
    assert model.run(ASK, Recorder()).text == whole.text
    with pytest.raises(Cancelled):
        model.run(ASK, Recorder(stop_after=0))


def test_blip_goes_on_from_the_person_s_words(folders):
    output = load(ENGINE, folders["blip"]).run(replace(ASK, prompt="a photo of"), Recorder())
    assert output.text.startswith("a photo of")
    assert len(output.text) > len("a photo of")


def test_blip_knows_short_and_long(folders, seen):
    model = load(ENGINE, folders["blip"])
    calls = seen(model)
    for length in ("short", "normal", "long"):
        model.run(replace(ASK, length=length, max_tokens=40), Recorder())
    assert [call["max_new_tokens"] for call in calls] == [12, 40, 40]
    assert [call["min_new_tokens"] for call in calls] == [0, 0, 24]


@pytest.mark.parametrize(
    ("length", "task"),
    [
        ("short", "What does the image describe?"),
        ("normal", "Describe in detail what is shown in the image."),
        ("long", "Describe with a paragraph what is shown in the image."),
    ],
)
def test_florence_has_a_task_for_each_length(folders, seen, length, task):
    model = load(ENGINE, folders["florence"])
    calls = seen(model)
    model.run(replace(ASK, length=length), Recorder())
    assert task in model._processor.tokenizer.decode(calls[0]["input_ids"][0], skip_special_tokens=True)


@pytest.mark.parametrize("kind", ["vision_encoder_decoder", "florence"])
def test_a_model_that_takes_no_instructions_says_so(folders, kind):
    output = load(ENGINE, folders[kind]).run(replace(ASK, prompt="Count the cats."), Recorder())
    assert output.notes == (("no_prompt", {}),)


@pytest.mark.parametrize(
    ("prompt", "length", "marks"),
    [
        ("", "short", "as"),
        ("中文", "long", "bl"),
        ("用中文", "short", "bs"),
        ("in English", "long", "al"),
        ("Chinese", "long", "bl"),
        ("英文", "short", "as"),
    ],
)
def test_a_decoder_with_marks_is_told_language_and_length(folders, seen, prompt, length, marks):
    options = {"marks": {"en": "a", "zh": "b", "short": "s", "long": "l"}}
    model = load(ENGINE, folders["vision_encoder_decoder"], options=options)
    calls = seen(model)
    output = model.run(replace(ASK, prompt=prompt, length=length), Recorder())
    tokenizer = model._processor.tokenizer
    assert calls[0]["decoder_input_ids"].tolist() == [[0, *tokenizer.convert_tokens_to_ids(list(marks))]]
    assert output.notes == ()
    assert output.text
    assert model.run(replace(ASK, prompt="数一数猫", length=length), Recorder()).notes == (("no_prompt", {}),)


@pytest.mark.parametrize("kind", ["smolvlm", "qwen_vl"])
def test_a_promptable_model_is_asked_what_the_person_or_the_card_says(folders, seen, kind):
    prompts = {"short": "Say it in brief."}
    model = load(ENGINE, folders[kind], options={"prompts": prompts})
    calls = seen(model)
    model.run(replace(ASK, prompt="Count the cats."), Recorder())
    model.run(replace(ASK, length="short"), Recorder())
    model.run(replace(ASK, length="long"), Recorder())
    model.run(replace(ASK, length="short", prompt="in English"), Recorder())
    asked = [model._processor.tokenizer.decode(call["input_ids"][0]) for call in calls]
    assert "Count the cats." in asked[0]
    assert "Say it in brief." in asked[1]
    assert "in detail" in asked[2]
    assert "Say it in brief. in English" in asked[3]


def test_large_pictures_are_made_smaller_first(folders, seen):
    model = load(ENGINE, folders["qwen_vl"], options={"max_side": 16})
    calls = seen(model)
    model.run(replace(ASK, image=png("red", (400, 200))), Recorder())
    assert calls[0]["image_grid_thw"][0].prod() <= 64


def test_a_file_that_is_no_picture_is_an_error(folders):
    with pytest.raises(StudioError) as caught:
        load(ENGINE, folders["blip"]).run(replace(ASK, image=b"text"), Recorder())
    assert caught.value.code == "bad_image"


def test_a_language_model_is_not_a_captioner(chat_folder):
    with pytest.raises(StudioError) as caught:
        load(ENGINE, chat_folder)
    assert caught.value.code == "broken_model"
