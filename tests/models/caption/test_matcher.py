"""The matcher: what it is given of a picture, its products against numpy, and the real one on real icons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.engines.lab import matcher as engine
from studio.engines.lab.networks import matcher
from studio.errors import StudioError
from studio.i18n import ASSETS
from studio.lab import matches, small, taste
from studio.paths import Home
from studio.requests import CaptionRequest
from studio.store.local import STARTERS
from train.matcher import training
from train.quiet import Quiet


class Spelt:
    """Stands for the text encoder: what a text means follows from its letters."""

    def __init__(self) -> None:
        self.model = torch.nn.Linear(2, 2)

    def __call__(self, texts: list[str]) -> torch.Tensor:
        seeds = [sum(text.encode()) for text in texts]
        return torch.stack([torch.randn(384, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@pytest.fixture(name="encoder", scope="module")
def _encoder() -> Any:
    return matcher.load_encoder(STARTERS / "caption")


@pytest.fixture(name="model")
def _model(encoder: Any) -> engine.MatcherModel:
    """The real heads and the real eye, with a text encoder that needs no file."""
    card = small.matcher(Catalog())
    return engine.MatcherModel(card, matcher.load_heads(STARTERS / "matcher"), encoder, Spelt(), Device("cpu"))


def _tiles() -> list[Image.Image]:
    sheet = Image.open(ASSETS / "examples" / "painted.webp").convert("RGB")
    side = sheet.height
    return [sheet.crop((at * side, 0, (at + 1) * side, side)) for at in range(sheet.width // side)]


def test_directions_are_of_length_one(model: engine.MatcherModel) -> None:
    seen, heard = model.see(_tiles()[:2], Quiet()), model.hear(["cat", "bus"], Quiet())
    for each in (seen.each, heard.each):
        assert each.shape == (2, 256)
        assert np.allclose(np.linalg.norm(each, axis=1), 1, atol=1e-5)


def test_a_direction_is_the_head_by_hand(model: engine.MatcherModel, encoder: Any) -> None:
    """The weights of the file in numpy, on what the encoder says."""
    heads = matcher.load_heads(STARTERS / "matcher")
    picture = _tiles()[0]
    pixels = np.asarray(picture.resize((224, 224), Image.Resampling.BILINEAR), np.float32) / 127.5 - 1
    seen = matcher.observed(encoder, heads, torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]).numpy()[0]
    weight = {name: value.double().numpy() for name, value in heads.state_dict().items()}
    hidden = weight["look.0.weight"] @ seen + weight["look.0.bias"]
    hidden = hidden * torch.special.ndtr(torch.from_numpy(hidden)).numpy()  # GELU
    found = weight["look.3.weight"] @ hidden + weight["look.3.bias"]
    assert np.allclose(model.see([picture], Quiet()).each[0], found / np.linalg.norm(found), atol=1e-4)


def test_chinese_is_read_as_english(model: engine.MatcherModel) -> None:
    heard = model.hear(["火箭", "rocket"], Quiet())
    assert heard.read[0] == heard.read[1] == "rocket"
    assert np.allclose(heard.each[0], heard.each[1], atol=1e-5)


def test_a_picture_counts_as_a_whole_whatever_its_shape(model: engine.MatcherModel) -> None:
    square = Image.new("RGB", (120, 120), "white")
    ImageDraw.Draw(square).ellipse((30, 30, 90, 90), "red")
    wide = Image.new("RGBA", (120, 60), (0, 0, 0, 0))
    wide.paste(square.crop((0, 30, 120, 90)))
    seen = model.see([square, wide], Quiet()).each
    assert seen[0] @ seen[1] > 0.999


def test_it_answers_no_request(model: engine.MatcherModel) -> None:
    with pytest.raises(StudioError, check=lambda error: error.code == "wrong_task"):
        model.run(CaptionRequest(image=b""), Quiet())


def test_shares_are_a_softmax(model: engine.MatcherModel) -> None:
    similarities = np.random.default_rng(0).uniform(-1, 1, (3, 5))
    shares = matches.shared_out(similarities, model.sharpness)
    assert np.allclose(shares, torch.softmax(torch.from_numpy(similarities) * model.sharpness, 1).numpy())
    assert np.allclose(shares.sum(1), 1)


def test_the_card_takes_the_text_encoder_of_the_picture_starter(tmp_path: Path) -> None:
    catalog = Catalog.load(Home(tmp_path))
    painter = catalog.get("icons")
    assert small.matcher(catalog).parts == painter.parts
    assert painter.parts
    assert small.matcher(catalog).id not in catalog.cards


# How it is taught


def test_names_are_kept_in_eight_bits_and_mean_the_same() -> None:
    heads = training.untrained(Spelt(), STARTERS / "caption")  # pyright: ignore[reportArgumentType]
    meanings, names = training.read_meanings(Spelt(), STARTERS / "caption")  # pyright: ignore[reportArgumentType]
    assert heads.things.dtype == torch.int8
    assert len(names) == len(meanings) == len(heads.things) > 2_000
    assert float((heads.meanings() * torch.nn.functional.normalize(meanings, dim=-1)).sum(1).min()) > 0.999


def test_a_class_given_as_a_photograph_is_nearest_to_itself() -> None:
    meanings = torch.nn.functional.normalize(torch.randn(300, 384, generator=torch.Generator().manual_seed(0)), dim=-1)
    torch.manual_seed(0)
    which = torch.arange(100, 200)
    made = training.as_photographs(meanings, which, 100)
    assert made.shape == (100, matcher.SEEN)
    assert torch.equal(made[:, -1], torch.ones(100))
    assert (made[:, :384] @ meanings.T).argmax(1).tolist() == which.tolist()
    colours = made[:, 384 + matcher.INNER : 384 + matcher.INNER + matcher.COLOURS]
    assert torch.allclose(colours.sum(1), torch.ones(100), atol=1e-5)


# What comes with the studio


@pytest.mark.parametrize("number", range(12))
def test_the_eye_sees_the_starters_own_pictures_as_different(model: engine.MatcherModel, number: int) -> None:
    seen = model.see(_tiles(), Quiet()).each
    near = seen @ seen.T
    assert near[number].argmax() == number
    assert np.partition(near[number], -2)[-2] < 0.98


def test_somebody_who_likes_what_is_red_is_found_out(model: engine.MatcherModel) -> None:
    """Ten choices between flat shapes of eight colours, for red or else orange; asked of shapes never shown."""
    dice = np.random.default_rng(0)
    warm = {"red": 3, "orange": 2, "yellow": 1}
    shades = ("red", "orange", "yellow", "green", "blue", "purple", "teal", "gray")

    def shape(colour: str) -> Image.Image:
        made = Image.new("RGB", (96, 96), "white")
        left, top, side = (int(number) for number in dice.integers(10, 40, 3))
        draw = ImageDraw.Draw(made)
        (draw.ellipse if dice.random() < 0.5 else draw.rectangle)((left, top, left + side, top + side), fill=colour)
        return made

    def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
        chosen, left = [], []
        while len(chosen) < count:
            first, second = dice.choice(shades, 2, replace=False)
            if warm.get(first, 0) == warm.get(second, 0):
                continue
            liked, other = (first, second) if warm.get(first, 0) > warm.get(second, 0) else (second, first)
            chosen.append(shape(str(liked)))
            left.append(shape(str(other)))
        return model.see(chosen, Quiet()).each, model.see(left, Quiet()).each

    learnt = taste.learn(*pairs(taste.ENOUGH))
    liked, other = pairs(40)
    assert float((learnt.rewards(liked) > learnt.rewards(other)).mean()) > 0.7
