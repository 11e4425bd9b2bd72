"""Paintings step by step and the space of pictures, with stand-ins."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.lab import noise, space
from studio.lab.looking import Looker
from studio.requests import ImageRequest
from studio.service import Studio

ME = Looker("me")


def png(colour: str, size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def test_a_film_ends_at_the_picture_of_the_tab(studio: Studio) -> None:
    film = noise.film(studio.lab, noise.Wish("two hills", seed=3, steps=4), ME)
    assert film is not None
    made = studio.submit(ImageRequest(prompt="two hills", seed=3, steps=4)).result()
    assert Image.open(made.files[0]).tobytes() == film.picture.tobytes()
    assert len(film.frames) == 4
    assert [look.word for look in film.looks] == ["two", "hills", ""]


def test_the_looks_of_all_words_make_one_at_every_place(studio: Studio) -> None:
    film = noise.film(studio.lab, noise.Wish("two hills", seed=3), ME)
    assert film is not None
    assert np.allclose(sum(look.maps for look in film.looks), 1)


def test_what_was_taken_away_is_the_difference_on_grey() -> None:
    taken = noise.taken_away(Image.new("RGB", (2, 2), (200, 100, 0)), Image.new("RGB", (2, 2), (100, 100, 50)))
    assert taken.getpixel((0, 0)) == (178, 128, 103)


def test_a_walk_leads_from_one_to_the_other(studio: Studio) -> None:
    walk = space.walk(studio.lab, png("red"), png("blue"), "", ME)
    assert walk is not None
    assert len(walk.through) == len(walk.mixed) == space.STOPS
    assert walk.mixed[0].getpixel((5, 5)) == (255, 0, 0)
    assert walk.mixed[-1].getpixel((5, 5)) == (0, 0, 255)
    assert walk.losses[0].back == walk.through[0]
    assert walk.pixels == walk.mixed[0].width * walk.mixed[0].height * 3


def test_a_picture_that_comes_back_whole_lost_nothing() -> None:
    grey = Image.new("RGB", (4, 4), "grey")
    same, other = space.loss(grey, grey), space.loss(grey, Image.new("RGB", (4, 4), "white"))
    assert same.mean == 0
    assert same.where.getextrema() == (255, 255)
    assert other.mean == 127


def test_noise_grows_from_none_and_is_that_of_its_seed(studio: Studio) -> None:
    one, same, other = (space.with_noise(np.arange(12, dtype=np.float32), 5, seed) for seed in (1, 1, 2))
    assert np.array_equal(one[0], np.arange(12))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    found = space.noised(studio.lab, png("green"), 1, "", ME)
    assert found is not None
    assert len(found.latents) == len(found.pixels) == space.LEVELS


def test_what_is_no_picture_is_refused(studio: Studio) -> None:
    with pytest.raises(StudioError) as error:
        space.walk(studio.lab, b"<svg onload=alert(1)>", png("red"), "", ME)
    assert error.value.code in ("bad_image", "picture_format")
