"""What prompts become: weights, skipped layers, tokens that are read and those that are not."""

import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import Recorder, card, load
from tiny_pipelines import KINDS, pixels

from studio.engines.image.diffusion import DiffusionEngine
from studio.requests import ImageRequest
from studio.results import Tokens

ENGINE = DiffusionEngine()
WEIGHED = ("stable_diffusion", "latent_consistency", "icons", "stable_diffusion_xl")
SKIPS = ("stable_diffusion", "latent_consistency", "icons")
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=2, guidance_scale=4.0, seed=5)


def paint(model, **changes) -> bytes:
    return pixels(model.run(replace(ASK, **changes), Recorder()))[0]


@pytest.mark.parametrize("negative", ["", "hello world"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_without_weights_is_what_the_bare_library_paints(painters, kind, negative):
    model = painters(kind)
    pipe = model._family.pipe
    more = {"negative_prompt": negative} if negative and kind in (*WEIGHED, "z_image") else {}
    more = {} if kind == "latent_consistency" else more
    if kind == "sana_sprint":
        more |= {"use_resolution_binning": False}
    own = pipe.scheduler
    pipe.scheduler = type(own).from_config(own.config)
    bare = pipe(
        prompt="a red heart", width=32, height=32, num_inference_steps=2, guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(5), output_type="np", **more,
    ).images[0]  # fmt: skip
    pipe.scheduler = own
    asked = paint(model, negative_prompt=negative)
    assert asked == (bare * 255).round().astype("uint8").tobytes()


@pytest.mark.parametrize("kind", WEIGHED)
def test_weights_change_the_picture_as_far_as_they_go(painters, kind):
    model = painters(kind)
    plain = paint(model)
    assert paint(model, prompt="a (red:1.0) heart") == plain
    assert paint(model, prompt="a ([red]) heart") == plain
    stronger = paint(model, prompt="a (red:1.4) heart")
    assert stronger not in (plain, paint(model, prompt="a [red] heart"), paint(model, prompt="a red (heart:1.4)"))
    assert paint(model, prompt="a ((red)) heart") == paint(model, prompt="a (red:1.21) heart")
    little, much = (paint(model, prompt=f"a (red:{weight}) heart") for weight in (1.001, 2.0))
    assert distance(little, plain) <= distance(much, plain)
    assert paint(model) == plain


def distance(one: bytes, two: bytes) -> float:
    return float(np.abs(np.frombuffer(one, np.uint8).astype(int) - np.frombuffer(two, np.uint8)).mean())


@pytest.mark.parametrize("kind", [kind for kind in WEIGHED if kind != "latent_consistency"])
def test_a_negative_prompt_takes_weights_too(painters, kind):
    model = painters(kind)
    plain = paint(model, negative_prompt="hello world")
    assert paint(model, negative_prompt="hello (world:1.5)") != plain
    assert paint(model, negative_prompt="hello (world:1.0)") == plain


@pytest.mark.parametrize("kind", WEIGHED)
def test_weights_of_one_everywhere_are_the_same_embeddings(painters, kind):
    """The way by hand and the library's own way meet where nothing weighs."""
    from studio.engines.image import prompt_embeds

    member = painters(kind)._family.member(over=False)
    negative = "" if kind == "latent_consistency" else "hello"
    words = {"prompt": "a red heart"} | ({"negative_prompt": "hello"} if negative else {})
    with torch.inference_mode():
        found = prompt_embeds.embeddings(member.pipe, member.accepts, words, "a red heart", negative, 4.0, 0)
        weighed = prompt_embeds.embeddings(member.pipe, member.accepts, words, "a (red:1.5) heart", negative, 4.0, 0)
    more = {"generator": torch.Generator("cpu").manual_seed(5), "output_type": "np"}
    size = {"width": 32, "height": 32, "num_inference_steps": 2, "guidance_scale": 4.0}
    with torch.inference_mode():
        picture = member.pipe(**found, **size, **more).images[0]
    painters(kind)._family.restore()
    assert (picture * 255).round().astype("uint8").tobytes() == paint(painters(kind), negative_prompt=negative)
    assert not torch.equal(found["prompt_embeds"], weighed["prompt_embeds"])


def test_embeddings_keep_their_mean_as_they_do_elsewhere(painters):
    from studio.engines.image.prompt_embeds import _weigh

    pipe = painters("stable_diffusion")._family.pipe
    embeddings = torch.randn(1, 77, 32, generator=torch.Generator().manual_seed(0)) - 0.5
    found = _weigh(pipe, embeddings, "a (red:1.5) heart")
    expected = embeddings.clone()
    expected[0, 2] *= 1.5
    expected *= embeddings.mean() / expected.mean()
    assert torch.allclose(found, expected)


def test_the_weight_falls_on_its_own_tokens(painters):
    from studio.engines.image.prompt_embeds import _weights

    for kind in WEIGHED:
        tokenizer = painters(kind)._family.pipe.tokenizer
        found = _weights(tokenizer, "a (red:1.5) heart")
        assert found[1:4] == [1.0, 1.5, 1.0]
        assert {found[0], *found[4:]} == {1.0}
        assert len(found) == tokenizer.model_max_length


@pytest.mark.parametrize("kind", ["z_image", "flux2_klein", "sana_sprint"])
def test_models_that_take_no_weights_read_the_words_and_say_so(painters, kind):
    model = painters(kind)
    output = model.run(replace(ASK, guidance_scale=1.0, prompt="a (red:1.3) heart"), Recorder())
    assert ("no_weights", {}) in output.notes
    assert pixels(output)[0] == paint(model, guidance_scale=1.0)
    literal = model.run(replace(ASK, guidance_scale=1.0, prompt="a red \\(heart\\)"), Recorder())
    assert ("no_weights", {}) not in literal.notes


@pytest.mark.parametrize("kind", SKIPS)
def test_clip_skip_leaves_out_layers_and_stops_at_the_first(painters, kind):
    model = painters(kind)
    layers = model._family.pipe.text_encoder.config.num_hidden_layers
    pictures = [paint(model, clip_skip=skip) for skip in range(layers)]
    assert len(set(pictures)) == layers
    assert paint(model, clip_skip=12) == pictures[-1]
    assert paint(model, clip_skip=1, prompt="a (red:1.5) heart") not in pictures


def test_clip_skip_goes_with_models_of_few_layers_and_is_said_to_be_left_out_of_others(painters):
    assert paint(painters("stable_diffusion_xl"), clip_skip=3)
    output = painters("z_image").run(replace(ASK, clip_skip=1), Recorder())
    assert ("no_clip_skip", {}) in output.notes


def test_padding_is_told_from_words_whatever_the_files_of_a_bert_say(painters, folders, tmp_path):
    shutil.copytree(folders["icons"], tmp_path, dirs_exist_ok=True)
    config = tmp_path / "text_encoder" / "config.json"
    settings = json.loads(config.read_text())
    assert settings.pop("use_attention_mask")
    config.write_text(json.dumps(settings))
    assert paint(load(ENGINE, tmp_path)) == paint(painters("icons"))


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("stable_diffusion", 75), ("icons", 22), ("stable_diffusion_xl", 75), ("sana_sprint", 300)],
)
def test_tokens_are_counted_without_those_of_every_prompt(folders, kind, limit):
    def count(prompt):
        return ENGINE.tokens(card("diffusion"), folders[kind], prompt)

    assert count("") == Tokens(0, limit, "")
    words = len(count("a red heart").cut), count("a red heart").count
    assert words == (0, 3) or kind == "sana_sprint"
    assert count("a (red:1.3) heart") == count("a red heart")
    assert count("red " * 500).count >= 500


@pytest.mark.parametrize("kind", ["icons"])
def test_what_is_cut_is_told_in_the_words_of_the_prompt(folders, kind):
    limit = ENGINE.tokens(card("diffusion"), folders[kind], "").limit
    fits = ENGINE.tokens(card("diffusion"), folders[kind], "red " * limit)
    assert (fits.count, fits.cut) == (limit, "")
    more = ENGINE.tokens(card("diffusion"), folders[kind], "red " * limit + "Heart, (world:1.2)")
    assert more.cut == "Heart, world"
    assert more.count > limit


@pytest.mark.parametrize("kind", ["icons"])
def test_the_note_after_the_picture_and_the_count_before_it_agree(painters, folders, kind):
    prompt = "red " * 100
    told = ENGINE.tokens(card("diffusion"), folders[kind], prompt)
    output = painters(kind).run(replace(ASK, prompt=prompt), Recorder())
    assert output.notes == (("prompt_cut", {"count": told.count - told.limit}),)
    fits = " ".join(["red"] * told.limit)
    assert pixels(output)[0] == paint(painters(kind), prompt=fits)


def test_chat_models_count_the_message_round_the_prompt(folders):
    short = ENGINE.tokens(card("diffusion", options={"max_sequence_length": 64}), folders["z_image"], "a")
    assert 0 < short.limit < 60


def test_counting_reads_no_weights_and_notices_another_tokenizer(folders, tmp_path):
    shutil.copytree(folders["icons"] / "tokenizer", tmp_path / "tokenizer")
    shutil.copy(folders["icons"] / "model_index.json", tmp_path)
    assert ENGINE.tokens(card("diffusion"), tmp_path, "red").limit == 22
    config = tmp_path / "tokenizer" / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_max_length": 12}))
    assert ENGINE.tokens(card("diffusion"), tmp_path, "red").limit == 10


def test_where_nobody_can_tell_the_count_is_nothing(tmp_path):
    assert ENGINE.tokens(card("diffusion"), tmp_path, "red") == Tokens(0, 0, "")
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    assert ENGINE.tokens(card("diffusion"), tmp_path, "red") == Tokens(0, 0, "")


def test_many_may_count_at_once(folders):
    wrong = []

    def count(number):
        for words in range(1, 30):
            if ENGINE.tokens(card("diffusion"), folders["icons"], "red " * words).count != words:
                wrong.append((number, words))

    threads = [threading.Thread(target=count, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
