"""The captioning starter knows what it does not know, and no word that it says is broken.

Thresholds and figures: train/caption/doubt.py, and the model's card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.engines.caption import lexicon
from studio.engines.caption.vision_language import CaptionEngine, CaptionModel
from studio.i18n import text
from studio.jobs.plans.caption_choices import CaptionChoices
from studio.paths import Home
from studio.requests import CaptionRequest
from studio.results import Output
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.caption.runs import Manner
from train.caption import strangers
from train.quiet import Quiet

SHIPPED = Path(__file__).parents[3] / "assets" / "starters" / "caption"
UNSEEN = sorted((Path(__file__).parents[2] / "data" / "caption").glob("*.png"))
EXAMPLES = sorted((Path(__file__).parents[3] / "assets" / "examples").glob("*.png"))
SCREENS = sorted((Path(__file__).parents[3] / "docs" / "screenshots").glob("*-light-1440.png"))[:2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaptionModel]:
    """The starter itself, on one thread: a hundred captions through the whole studio would take a minute."""
    torch.set_num_threads(1)
    card = Catalog.load(Home(tmp_path_factory.mktemp("home")), public=True).get("observer")
    made = CaptionEngine().load(card, SHIPPED, Device("cpu", threads=1), lambda _: None)
    yield made
    made.close()


def caption(model: CaptionModel, image: bytes, **settings: Any) -> Output:
    asked: dict[str, Any] = {"max_tokens": 80, "temperature": 0.0, "seed": 0, **settings}
    quiet: Any = Quiet()
    return CaptionChoices(CaptionRequest(image=image, **asked)).run(model, quiet)


def codes(artifact: Output) -> set[str]:
    return {code for code, _ in artifact.notes}


def test_no_word_of_every_other_held_out_picture_is_broken(model: CaptionModel) -> None:
    names = lexicon.read_things(SHIPPED)
    assert names is not None
    english = {name for row in names for name in (row[0], *row[2].split(","))}
    for file in UNSEEN[::2]:
        data = file.read_bytes()
        for asked in ({"length": "long"}, {"style": "tags"}):
            said = caption(model, data, **asked).text.removeprefix("I am not sure: perhaps ")
            assert not lexicon.broken(said, names), said
            named = re.findall(r"It could also be (.*)\.$", said)
            for other in re.split(" or ", named[0]) if named else ():
                assert re.sub(r"^an? ", "", other) in english, said
        said = caption(model, data, length="long", prompt="中文").text
        whole = lexicon.Lexicon(lexicon.phrases(names, range(len(names)), "zh"))
        said = said.removeprefix("我不确定：也许是")
        assert whole.allows(said.encode()), said
        assert "\ufffd" not in said


def test_a_word_that_is_not_known_counts_as_broken() -> None:
    names = lexicon.read_things(SHIPPED)
    assert names is not None
    assert lexicon.broken("a photo of a dishra or a bell cote", names) == ["dishra"]


@pytest.mark.parametrize("kind", strangers.KINDS)
def test_what_holds_no_thing_is_called_what_it_is(model: CaptionModel, kind: str) -> None:
    picture = strangers.made(kind, 3)
    made = caption(model, picture)
    assert made.text == text(f"caption.said_{kind}", "en")
    assert codes(made) == {f"caption_{kind}"}
    assert made.stats["confidence"] == 0
    if kind == "chart":
        assert caption(model, picture, prompt="中文").text == text("caption.said_chart", "zh-CN")
        assert caption(model, picture, style="tags").text == text("caption.said_chart_short", "en")


def test_real_screenshots_are_called_screenshots(model: CaptionModel) -> None:
    assert len(SCREENS) == 2
    assert all(codes(caption(model, file.read_bytes())) == {"caption_screenshot"} for file in SCREENS)


def test_icons_are_no_strangers_and_the_offered_ones_are_certain(model: CaptionModel) -> None:
    doubted = 0
    for file in (*UNSEEN, *EXAMPLES):
        made = caption(model, file.read_bytes(), length="short")
        assert not {code for code in codes(made) if code != "caption_unsure"}, file
        assert made.text.startswith("I am not sure: perhaps a") == ("caption_unsure" in codes(made))
        assert 0 < made.stats["confidence"] <= 1
        doubted += "caption_unsure" in codes(made)
        assert "caption_unsure" not in codes(made) or file not in EXAMPLES
    assert 3 <= doubted <= 9


def test_in_a_folder_doubt_is_marked_and_kept_out_of_the_words(tmp_path: Path) -> None:
    (root := tmp_path / "pictures").mkdir()
    doubtful = next(file for file in UNSEEN if file.stem == "07-postal horn")
    certain = next(file for file in UNSEEN if file.stem == "05-triangle pointed down")
    for name, data in {
        "chart": strangers.made("chart", 3),
        "a": doubtful.read_bytes(),
        "b": certain.read_bytes(),
    }.items():
        (root / f"{name}.png").write_bytes(data)
    with Studio(Settings(home=tmp_path / "home", device="cpu", keep_free_gb=0)) as studio:
        run = studio.captions.of_folder(root, Manner())
        *_, last = studio.caption_all(run, CaptionRequest(image=b"", model="observer", style="tags")).events()
    a, b, chart = run.lines()
    assert a is not None
    assert b is not None
    assert chart is not None
    assert (a.state, b.state, chart.state, chart.error) == ("written", "written", "failed", "caption_chart")
    assert 0 < a.unsure < 45
    assert b.unsure == 0
    assert not (root / "chart.txt").exists()
    assert "sure" not in (root / "a.txt").read_text()
    assert last.artifact is not None
    assert ("captions_unsure", {"count": 1}) in last.artifact.notes


def test_what_a_person_forbids_and_requires_still_holds(model: CaptionModel) -> None:
    data = UNSEEN[0].read_bytes()
    assert "cloud" not in caption(model, data, forbid=("cloud",)).text
    assert caption(model, data, require=("zebra",)).text.endswith("zebra")
    assert caption(model, data, opening="a picture of").text.startswith("a picture of")
    drawn = caption(model, data, length="long", count=3, temperature=1.5)
    names = lexicon.read_things(SHIPPED)
    assert names is not None
    assert not [word for said in drawn.texts for word in lexicon.broken(said, names)]
