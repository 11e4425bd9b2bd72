"""A home that the version before the rooms wrote: everything in it is still there, and can be gone on with.

tests/data/home-before-rooms.zip was written by that version with its stand-ins: pictures, one of them from another, a
piece, code and a caption; a conversation of two questions; a caption run that is finished and one that is not begun.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.catalog.catalog import Catalog
from studio.recipes import reproduce
from studio.request_parts import Message
from studio.requests import CaptionRequest, ChatRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.chat.conversation import Entry

HOME = Path(__file__).parents[1] / "data" / "home-before-rooms.zip"


@pytest.fixture
def old(settings: Settings) -> Iterator[Studio]:
    settings.home.mkdir(parents=True)
    zipfile.ZipFile(HOME).extractall(settings.home)
    with Studio(settings) as running:
        running.clear()
        yield running


def test_every_output_is_found_with_its_recipe(old: Studio) -> None:
    found = old.library.recent(limit=50)
    assert sorted(artifact.task for artifact in found) == ["caption", "code", "image", "image", "music"]
    assert {artifact.recipe["seed"] for artifact in found if artifact.task in ("image", "music")} == {3, 7, 8}


def test_a_picture_is_made_again_from_its_recipe(old: Studio) -> None:
    for artifact in old.library.recent("image"):
        # The second one starts from a picture, which was kept by its hash.
        request = reproduce.request(artifact.recipe, old.source)
        again = old.submit(request).result()
        before, now = artifact.files[0].read_bytes(), again.files[0].read_bytes()
        assert reproduce.compare(before, artifact.recipe, now, again.recipe).same


def test_a_conversation_goes_on(old: Studio) -> None:
    (known,) = old.chats.list()
    chat = old.chats.load(known.id)
    assert [entry.content for entry in chat.messages[::2]] == ["What is a reel?", "And a jig?"]
    asked = chat.replaced(len(chat.messages), Entry("user", "And a polka?"))
    old.say(asked, ChatRequest(messages=(Message("user", "-"),)), seen=chat.mark).result()
    assert len(old.chats.load(known.id).messages) == 6


def test_caption_runs_are_there_and_the_one_that_waits_goes_on(old: Studio) -> None:
    waiting, finished = sorted(old.captions.runs(), key=lambda run: len(run.waiting()), reverse=True)
    assert finished.finished
    assert finished.caption("navy.png")
    assert waiting.waiting() == ("green.png", "navy.png", "red.png")
    old.caption_all(waiting, CaptionRequest(image=b"")).result()
    assert old.captions.open(waiting.id).finished
    assert old.captions.open(waiting.id).caption("navy.png") == finished.caption("navy.png")


def test_models_of_the_user_s_own_are_listed(old: Studio) -> None:
    found = Catalog.load(old.home)
    assert found.problems == ()
    assert found.get("my-words").title == "My words"
