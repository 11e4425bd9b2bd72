"""A model that reads English paints a Chinese prompt as its English reading, and says so."""

import json
import shutil
from dataclasses import replace

import pytest
from tiny import Recorder, card, load
from tiny_pipelines import pixels

from studio.engines.image.diffusion import DiffusionEngine
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="red apple", width=32, height=32, steps=2, guidance_scale=4.0, count=1, seed=5)


@pytest.fixture(scope="module")
def bilingual(folders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bilingual") / "model"
    shutil.copytree(folders["stable_diffusion"], folder)
    (folder / "glossary.json").write_text(json.dumps({"红": "red", "苹果": "apple", "一个": ""}), encoding="utf-8")
    return folder


def test_the_picture_is_that_of_the_english_prompt(bilingual):
    model = load(ENGINE, bilingual)
    english = model.run(ASK, Recorder())
    chinese = model.run(replace(ASK, prompt="一个红苹果"), Recorder())
    assert pixels(chinese) == pixels(english)
    assert english.notes == ()
    assert chinese.notes == (("read_as", {"prompt": "red apple"}),)
    model.close()


def test_what_is_not_known_is_named(bilingual):
    model = load(ENGINE, bilingual)
    made = model.run(replace(ASK, prompt="红量子", negative_prompt="飞船"), Recorder())
    assert ("unknown_words", {"words": "量子、飞船"}) in made.notes
    model.close()


def test_each_picture_of_a_batch_is_read_on_its_own(bilingual):
    model = load(ENGINE, bilingual)
    both = replace(ASK, prompt="{红|}苹果", prompts=("红苹果", "苹果"), count=2)
    made = model.run(both, Recorder())
    alone = model.run(replace(ASK, prompt="apple", seed=6), Recorder())
    assert pixels(made)[1] == pixels(alone)[0]
    model.close()


def test_tokens_are_those_of_the_reading(bilingual):
    chosen = card("diffusion")
    assert ENGINE.tokens(chosen, bilingual, "一个红苹果") == ENGINE.tokens(chosen, bilingual, "red apple")
