"""The recipe of the captioner: labels that stay true, weights that pack, sentences that are English."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from studio.engines.caption.networks.lite import BLOCKS, Block, Lite, Pixelwise
from studio.engines.caption.networks.observer import ObserverConfig, ObserverModel, Photographed
from train.caption import augment, drawing, groups, lite, names, photographs, score, sentences, soft, speaker, starter

RED = (220, 30, 40)


def icon(rgb: tuple[int, int, int] = RED) -> torch.Tensor:
    """A square on nothing, (1, 128, 128, 4)."""
    made = torch.zeros(1, 128, 128, 4, dtype=torch.uint8)
    made[:, 32:96, 32:96] = torch.tensor([*rgb, 255], dtype=torch.uint8)
    return made


def changed(strength: float, seed: int = 0, count: int = 1) -> augment.Batch:
    return augment.batch(
        icon().repeat(count, 1, 1, 1), torch.ones(count, dtype=torch.long), 128,
        torch.Generator().manual_seed(seed), strength,
    )  # fmt: skip


def test_without_strength_an_icon_stays_as_it_is_on_white() -> None:
    made = changed(0.0)
    assert torch.allclose(made.pixels[0, :, 60, 60], torch.tensor(RED) / 127.5 - 1, atol=0.02)
    assert (made.pixels[0, :, 5, 5] == 1).all()
    assert augment.COLOURS[made.ground[0]] == "white"
    assert augment.COLOURS[made.shares[0, :-1].argmax()] == "red"
    assert made.shares[0, -1] == pytest.approx(0.75, abs=0.03)


def test_a_changed_icon_is_called_by_the_colour_that_it_has_then() -> None:
    made = changed(1.0, count=60)
    told = {augment.COLOURS[index] for index in made.shares[:, :-1].argmax(1)}
    assert len(told) > 5
    assert torch.allclose(made.shares.sum(1), torch.ones(60))
    assert made.pixels.abs().max() <= 1
    assert {augment.KINDS[kind] for kind in made.kinds} >= {"flat", "outlined"}
    assert len({augment.COLOURS[index] for index in made.ground}) > 5


def test_colours_have_the_names_that_the_image_starter_gives_them() -> None:
    from train.image import colours

    for name, rgb in colours.NAMES.items():
        assert augment.COLOURS[augment.named(torch.tensor(rgb).float() / 255)] == name


def test_folded_normalisations_change_nothing_but_the_last_digits() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8, eps=lite.EPSILON).eval()
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.uniform_(norm.running_mean, -1, 1)  # pyright: ignore
    nn.init.uniform_(norm.running_var, 0.5, 2)  # pyright: ignore
    conv = nn.Conv2d(4, 8, 1, bias=False)
    state = {**{f"conv.{k}": v for k, v in conv.state_dict().items()},
             **{f"norm.{k}": v for k, v in norm.state_dict().items()}}  # fmt: skip
    packed = Pixelwise(4, 8)
    lite.fill(packed, *lite.folded(state, "conv", "norm"))
    x = torch.randn(2, 4, 5, 5)
    assert (packed(x) - norm(conv(x))).abs().max() < 0.03


def test_weights_that_learnt_pack_into_those_that_ship() -> None:
    torch.manual_seed(0)
    tight = Block(16, 3, 1, 16, 6)
    for part in (tight.expand, tight.project):
        assert part is not None
        lite.fill(part, torch.randn(part.weight.shape) * 0.2, torch.randn(part.bias.shape) * 0.1)
    x = torch.randn(2, 16, 8, 8)
    before = tight(x)
    loose = drawing.loosen(nn.ModuleDict({"block": tight}))
    assert torch.allclose(loose["block"](x), before, atol=1e-3)
    fresh = nn.ModuleDict({"block": Block(16, 3, 1, 16, 6)})
    starter.packed(loose, fresh)
    assert torch.allclose(fresh["block"](x), before, atol=0.02)


@pytest.mark.parametrize(("stride", "padding", "kernel"), [(1, 2, 5), (2, 0, 3), (2, 0, 5)])
def test_the_quick_gradient_is_pytorchs_own(stride: int, padding: int, kernel: int) -> None:
    torch.manual_seed(0)
    made = nn.Conv2d(6, 6, kernel, stride, padding, groups=6)
    quick = drawing.Filter(made)
    side = 16 + (kernel - 2 if stride == 2 else 0)
    x, goal = torch.randn(2, 6, side, side), torch.randn(2, 6, 16 // stride, 16 // stride)
    found = []
    for part in (made, quick):
        inner = x.clone().requires_grad_()
        (part(inner) * goal).sum().backward()
        assert part.bias is not None
        found.append((inner.grad, part.bias.grad))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-4)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-3)


def test_a_reader_begins_with_what_imagenet_taught() -> None:
    torch.manual_seed(0)
    known = Lite(10)
    made = drawing.build(known, 5)
    assert torch.equal(made.stem.weight, known.stem.weight)
    assert not made.blocks[drawing.FROZEN - 1].project.weight.requires_grad
    assert made.blocks[drawing.FROZEN].project.weight.requires_grad
    assert [logits.shape for logits in made(torch.zeros(2, 3, 64, 64))] == [(2, 5), (2, len(augment.KINDS))]


def test_scenes_are_told_from_icons_by_how_their_neighbours_differ() -> None:
    judge = Photographed()
    scene = torch.from_numpy(photographs.scene(np.random.default_rng(0))).permute(2, 0, 1)[None].float() * 2 - 1
    flat = F.interpolate(changed(0.0).pixels, (photographs.SIDE, photographs.SIDE), mode="bilinear")
    assert judge.measured(flat)[0, 0] > 0.8
    assert judge.measured(scene)[0, 0] < 0.5


def test_a_soft_icon_has_grain_and_still_one_colour_for_its_ground() -> None:
    random, judge = np.random.default_rng(0), Photographed()
    sharp = F.interpolate(changed(0.0).pixels, (photographs.SIDE, photographs.SIDE), mode="bilinear")
    blurred = torch.stack([soft.soften(random, sharp[0] / 2 + 0.5) for _ in range(12)])
    assert blurred.shape[1:] == (3, photographs.SIDE, photographs.SIDE)
    assert 0 <= blurred.min() <= blurred.max() <= 1
    before, after = judge.measured(sharp), judge.measured(blurred * 2 - 1)
    assert after[:, 0].median() < before[0, 0] - 0.02, "fewer neighbours that are equal"
    assert after[:, 26].median() > 0.7, "most of it is like its border"


def test_scenes_that_a_camera_took_stay_pictures_of_their_size() -> None:
    random = np.random.default_rng(0)
    first, second = (torch.from_numpy(photographs.scene(random)).permute(2, 0, 1).float() for _ in range(2))
    for _ in range(8):
        made = photographs.taken(random, photographs.focus(random, first, second))
        assert made.shape == (3, photographs.SIDE, photographs.SIDE)
        assert 0 <= made.min() <= made.max() <= 1


def test_the_judge_learns_from_scenes_and_icons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [{"set": "mine"}] * 8 + [{"set": photographs.HELD_OUT.package}]
    icons = np.concatenate([icon((20 * number, 90, 200)).numpy() for number in range(9)])
    monkeypatch.setattr(photographs.data, "load", lambda _: (icons, entries))
    measured, truth = photographs.pictures(tmp_path, count=6)
    assert measured.shape == (6 + 6 + 3 + 4 + 6, Photographed().judge[0].in_features)
    assert truth.tolist() == [1.0] * 15 + [0.0] * 10


NAMES = [
    sentences.Name("apple", "苹果", ("fruit", "food"), ("水果",)), sentences.Name("grapes", "葡萄"),
    sentences.Name("bus", "公交车"), sentences.Name("hamster", "仓鼠", ("pet",), ("宠物",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("things", "form", "english", "chinese"),
    [
        ((0,), "short", "a red apple", "红色的苹果"),
        ((0,), "normal", "a red apple in flat style on a white background", "白色背景上的红色的苹果，扁平风格"),
        (
            (0, 2), "long",
            "a red and green apple in flat style on a white background. Tags: fruit, food. It could also be a bus.",
            "白色背景上的红色和绿色的苹果，扁平风格。标签：水果。也可能是公交车。",
        ),
        ((0,), "tags", "apple, red, green, flat style, white background, fruit, food",
         "苹果，红色，绿色，扁平风格，白色背景，水果"),
        ((1,), "short", "red grapes", "红色的葡萄"),
        ((2,), "short", "a red bus", "红色的公交车"),
    ],
)  # fmt: skip
def test_what_was_seen_is_put_into_words(things, form, english, chinese) -> None:
    seen = sentences.Seen("flat", "white", ("red", "green"), tuple(NAMES[index] for index in things))
    assert sentences.say(seen, "en", form) == english
    assert sentences.say(seen, "zh", form) == chinese


def test_a_photograph_has_no_colours_and_says_of_what_kind_its_object_is() -> None:
    seen = sentences.Seen("photograph", "", (), (NAMES[3], NAMES[1]))
    assert sentences.say(seen, "en", "short") == "a hamster"
    assert sentences.say(seen, "en", "long") == "a photo of a hamster (pet). It could also be grapes."
    assert sentences.say(seen, "zh", "long") == "一张照片，主体是仓鼠（宠物）。也可能是葡萄。"


@pytest.mark.parametrize(
    ("words", "said"),
    [("orange cat", "an orange cat"), ("unicorn", "a unicorn"), ("face with tears", "a face with tears"),
     ("people hugging", "people hugging"), ("compass", "a compass"), ("hourglass", "an hourglass"),
     ("scissors", "scissors"), ("bunch of grapes", "a bunch of grapes")],
)  # fmt: skip
def test_names_have_the_article_of_english(words: str, said: str) -> None:
    assert sentences.with_article(words) == said


def test_a_thing_is_called_the_same_in_every_colour() -> None:
    assert names.plain("red heart") == names.plain("light blue heart") == "heart"
    assert names.plain("red envelope") == "red envelope"
    assert names.plain("light bulb") == "light bulb"


def test_every_class_of_imagenet_has_a_name_in_both_languages_and_one_group_at_most() -> None:
    all_ = sentences.all_names([])
    assert len(all_) == 1000 + len(groups.GROUPS)
    assert all(name.english and name.chinese for name in all_)
    assert (all_[207].english, all_[207].chinese, all_[207].tags) == ("golden retriever", "金毛寻回犬", ("dog",))
    numbers = [index for _, _, text in groups.GROUPS for index in groups.members(text)]
    assert len(numbers) == len(set(numbers))


def test_what_is_imagined_is_what_an_encoder_can_find() -> None:
    chance, nothing = random.Random(0), len(augment.COLOURS)
    for _ in range(500):
        kind, ground, colours, things = speaker.imagined(chance, 50, 20, 75)
        assert things[0] < 75
        assert len(things) == 3
        assert (things[1] < 75) or (things[2] == 75)
        if kind == 0:
            assert (ground, colours) == (nothing, [nothing, nothing])
            assert things[0] >= 50
        else:
            assert things[0] < 50
            assert ground < nothing
            assert colours[0] < nothing or colours[1] == nothing


def observer(**sizes: int) -> ObserverModel:
    torch.manual_seed(0)
    made = ObserverModel(
        ObserverConfig(things=7, classes=9, groups=2, drawing_sides=(32, 64), hidden_size=16, **sizes)
    ).eval()
    made.group.copy_(torch.tensor([0, 0, 0, 1, -1, -1, -1, -1, -1]))  # pyright: ignore
    return made


def test_a_certain_thing_is_told_alone_and_an_uncertain_one_with_others() -> None:
    made, none = observer(), 7 + 9 + 2
    sure = torch.tensor([[0.9, 0.05, 0.05, 0, 0, 0, 0], [0.3, 0.28, 0.25, 0.17, 0, 0, 0]])
    assert made._likeliest(sure, 0).tolist() == [[0, none, none], [0, 1, 2]]


def test_the_group_is_told_where_no_single_class_is_likely() -> None:
    made = observer()
    chances = torch.tensor([[0.3, 0.25, 0.2, 0.05, 0.2, 0, 0, 0, 0], [0.9, 0.1, 0, 0, 0, 0, 0, 0, 0]])
    found = made._classed(chances).tolist()
    assert found[0] == [7 + 9 + 0, 7 + 0, 7 + 1]
    assert found[1][0] == 7 + 0


def test_an_observer_says_something_of_every_picture() -> None:
    made = observer()
    with torch.no_grad():
        states = made(torch.rand(2, 3, 96, 96) * 2 - 1).last_hidden_state
    assert states.shape == (2, 7, 16)
    assert len(BLOCKS) == 16


@pytest.mark.parametrize(
    ("caption", "name", "right"),
    [("a red apple", "apple", True), ("a light blue and red apple", "apple", True), ("a pineapple", "apple", False),
     ("红色的苹果", "苹果", True), ("红色和浅绿色的苹果", "苹果", True), ("青苹果", "苹果", False),
     ("a Tokyo tower", "tokyo tower", True),
     ("a red heart suit", "heart", False), ("red grapes", "grapes", True)],
)  # fmt: skip
def test_a_caption_is_right_where_it_names_exactly_what_is_drawn(caption: str, name: str, right: bool) -> None:
    assert score.names_it(caption, name) is right
