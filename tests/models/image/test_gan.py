"""The small GAN: its engine against the network itself, the game that trains it, and what comes with the studio."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from studio.devices.device import Device
from studio.engines.lab.gan import GanEngine, GanModel, Spot, between
from studio.engines.lab.networks.generator import MEANING, NOISE, Generator, load_generator
from studio.errors import StudioError
from studio.lab import gan, small
from studio.requests import ImageRequest
from studio.store.local import STARTERS
from train.gan import data, discriminator, ship, training
from train.quiet import Quiet

WORDS = [{"name": "cat", "chinese": "猫"}, {"name": "bus", "chinese": "车"}, {"name": "sun", "chinese": "太阳"}]


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that has learnt nothing, as files."""
    torch.manual_seed(0)
    folder, network = tmp_path_factory.mktemp("gan"), Generator(len(WORDS))
    network.meanings.copy_(torch.randn(len(WORDS), MEANING))
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    (folder / "words.json").write_text(json.dumps(WORDS), encoding="utf-8")
    return folder


@pytest.fixture(name="model")
def _model(folder: Path) -> GanModel:
    return GanEngine().load(small.gan(), folder, Device("cpu"), lambda _: None)


def _direct(folder: Path, noise: torch.Tensor, said: torch.Tensor) -> np.ndarray:
    """The network asked by hand, layer after layer."""
    network, _ = load_generator(folder)
    meaning = torch.nn.functional.normalize(network.meaning(said / said.norm()), dim=-1) * NOISE**0.5
    style = network.mapping(torch.cat([noise / noise.norm() * NOISE**0.5, meaning])[None])
    x = network.start
    for layer in network.layers:
        x = layer(x, style)
    return ((network.paint(x).tanh()[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def _noise(seed: int) -> torch.Tensor:
    return torch.randn(NOISE, generator=torch.Generator().manual_seed(seed))


def _close(first: np.ndarray, second: np.ndarray) -> bool:
    return int(np.abs(first.astype(int) - second.astype(int)).max()) <= 1


def test_a_picture_is_what_the_network_gives_by_hand(model: GanModel, folder: Path) -> None:
    meanings = load_generator(folder)[0].meanings
    made = model.paint([Spot((1, 1), (7, 7))], 1.0, Quiet())
    assert made.shape == (1, 64, 64, 3)
    assert _close(made[0], _direct(folder, _noise(7), meanings[1]))


def test_the_middle_of_a_way_is_between_both_words_and_on_the_arc_of_noises(model: GanModel, folder: Path) -> None:
    meanings, first, second = load_generator(folder)[0].meanings, _noise(3), _noise(4)
    angle = torch.arccos(first @ second / first.norm() / second.norm())
    middle = (first + second) * torch.sin(angle / 2) / torch.sin(angle)
    made = model.paint([Spot((0, 2), (3, 4), 0.5)], 1.0, Quiet())
    assert _close(made[0], _direct(folder, middle, (meanings[0] + meanings[2]) / 2))


def test_a_walk_begins_and_ends_with_its_ends(model: GanModel) -> None:
    walked = model.paint(gan.walk((0, 2), (3, 4), 5), 1.0, Quiet())
    ends = model.paint([*gan.several(0, [3]), *gan.several(2, [4])], 1.0, Quiet())
    assert _close(walked[[0, -1]], ends)
    steps = np.abs(np.diff(walked.astype(float), axis=0)).mean((1, 2, 3))
    assert steps.max() < np.abs(walked[0].astype(float) - walked[-1]).mean() + 1


def test_noise_keeps_its_length_on_the_way() -> None:
    first, second = _noise(1), _noise(1) + 1e-6
    assert torch.equal(between(first, second, 0.5), first)  # one and the same
    ends = (_noise(1) / _noise(1).norm(), _noise(2) / _noise(2).norm())
    assert all(abs(float(between(*ends, far).norm()) - 1) < 1e-5 for far in (0.0, 0.3, 0.5, 1.0))


def test_without_truncation_noises_differ_and_at_nought_all_are_the_mean(model: GanModel, folder: Path) -> None:
    spots = gan.several(1, range(6))
    assert _spread(model.paint(spots, 0.0, Quiet())) == 0
    assert 0 < _spread(model.paint(spots, 0.5, Quiet())) < _spread(model.paint(spots, 1.0, Quiet()))
    network, _ = load_generator(folder)
    noise = torch.randn(256, NOISE, generator=torch.Generator().manual_seed(0))
    mean = network.styles(noise, network.meanings[1].expand(256, -1)).mean(0, keepdim=True)
    by_hand = ((network.pixels(mean)[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    assert _close(model.paint(spots[:1], 0.0, Quiet())[0], by_hand)


def _spread(pictures: np.ndarray) -> float:
    return float(pictures.astype(float).std(0).mean())


def test_a_prompt_is_one_of_its_words(model: GanModel) -> None:
    made = model.run(ImageRequest(prompt=" Bus ", seed=5, count=2), Quiet())  # pyright: ignore[reportArgumentType]
    assert made.seeds == (5, 6)
    assert _close(np.asarray(made.images[1]), model.paint(gan.several(1, [6]), 1.0, Quiet())[0])
    assert model.run(ImageRequest(prompt="车", seed=5, count=1), Quiet()).images[0] == made.images[0]  # pyright: ignore
    with pytest.raises(StudioError, check=lambda error: error.code == "wrong_task"):
        model.run(ImageRequest(prompt="a train", seed=5, count=1), Quiet())  # pyright: ignore[reportArgumentType]


def test_it_says_how_much_memory_it_takes(model: GanModel, folder: Path) -> None:
    network, _ = load_generator(folder)
    assert model.nbytes() == sum(value.nbytes for value in network.state_dict().values())


# The game


@pytest.fixture(name="game")
def _game() -> training.Game:
    torch.manual_seed(1)
    game = training.Game(3)
    game.generator.meanings.copy_(torch.randn(3, MEANING))
    return game


@pytest.fixture(name="reading", scope="module")
def _reading() -> Any:
    return discriminator.reader(STARTERS / "caption")


def test_each_loss_reaches_its_own_network_alone(game: training.Game, reading: Any) -> None:
    real, word = torch.rand(4, 3, 64, 64) * 2 - 1, torch.tensor([0, 0, 2, 2])
    painting, telling = game.losses(reading, real, word, torch.Generator().manual_seed(0), 1.0)
    painting.backward(retain_graph=True)
    assert all(one.grad is None for one in game.discriminator.parameters())
    assert any(float(one.grad.abs().sum()) > 0 for one in game.generator.parameters() if one.grad is not None)
    game.generator.zero_grad(set_to_none=True)
    telling.backward()
    assert all(one.grad is None for one in game.generator.parameters())
    assert any(float(one.grad.abs().sum()) > 0 for one in game.discriminator.parameters() if one.grad is not None)
    assert all(one.grad is None for one in reading.parameters())


def test_a_discriminator_that_plays_alone_learns_to_tell(game: training.Game, reading: Any) -> None:
    chance = torch.Generator().manual_seed(0)
    real, word = torch.ones(6, 3, 64, 64), torch.tensor([0, 0, 1, 1, 2, 2])
    real[:, :, 16:48, 16:48] = -1
    optimiser = torch.optim.Adam(game.discriminator.parameters(), 5e-3, betas=(0.0, 0.99))
    losses = []
    for _ in range(12):
        _, telling = game.losses(reading, real, word, chance, 0.0)
        optimiser.zero_grad(set_to_none=True)
        telling.backward()
        optimiser.step()
        losses.append(telling.item())
    assert np.mean(losses[-3:]) < losses[0] - 0.2


def test_one_picture_a_word_is_told_by_its_pairs() -> None:
    """Each picture alone is as real as the others; what tells is that both of a pair are the same one."""
    torch.manual_seed(0)
    head = discriminator.Head(nn.Identity(), 4, 2)
    optimiser = torch.optim.Adam(head.parameters(), 0.02)
    word = torch.zeros(64, dtype=torch.long)
    told = torch.zeros(0)
    for _ in range(150):
        real = torch.randn(64, 4, 8, 8)
        same = torch.randn(32, 4, 8, 8).repeat_interleave(2, 0)
        (of_real,), (of_same,) = head(real, word), head(same, word)
        optimiser.zero_grad(set_to_none=True)
        (torch.relu(1 - of_real) + torch.relu(1 + of_same)).mean().backward()
        optimiser.step()
        told = torch.stack([of_real.min(), of_same.max()]).detach()
    assert told[0] > 0 > told[1]


def test_a_generator_that_paints_alike_is_asked_for_difference(game: training.Game, reading: Any) -> None:
    torch.manual_seed(0)
    word = torch.tensor([0, 0, 1, 1])
    real = torch.rand(4, 3, 1, 1).expand(-1, -1, 64, 64) * 2 - 1
    asked = [
        game.losses(reading, real, word, torch.Generator().manual_seed(0), seeking)[0].item() for seeking in (0.0, 1.0)
    ]
    noise = torch.randn(4, NOISE, generator=torch.Generator().manual_seed(0))
    painted = training.apart(game.generator(noise, word))
    lacking = torch.relu(1 - painted / (training.ENOUGH * training.apart(real).mean())).mean().item()
    assert lacking > 0.1
    assert asked[1] - asked[0] == pytest.approx(lacking, abs=0.02)  # the norms of the judges move a little


def test_the_distance_of_a_pair_is_that_of_its_parts() -> None:
    black, white = torch.full((3, 64, 64), -1.0), torch.ones(3, 64, 64)
    chequered = white.clone()
    chequered[:, ::2, ::2] = chequered[:, 1::2, 1::2] = -1  # finer than a part: on average as grey as grey
    found = training.apart(torch.stack([black, white, chequered, torch.zeros(3, 64, 64), white, white]))
    assert found.tolist() == pytest.approx([2, 0, 0])


def test_icons_come_in_pairs_and_what_says_its_colour_keeps_it() -> None:
    pixels = torch.zeros(4, 4, 3, 64, 64, dtype=torch.uint8)
    pixels[:, 1:] = 255  # in other colours
    names = [{"name": "red heart", "chinese": ""}, {"name": "star", "chinese": ""}]
    icons = data.Icons(pixels, np.array([0, 0, 1, 1]), names, ["a", "b"] * 2)
    shown, word = data.batch(icons, 400, np.random.default_rng(0))
    assert torch.equal(word[0::2], word[1::2])
    other = shown.mean((1, 2, 3)) > 0
    assert not other[word == 0].any()
    assert other[word == 1].float().mean().item() == pytest.approx(1 - data.AS_DRAWN, abs=0.1)


def test_pairs_are_moved_alike() -> None:
    pixels = torch.rand(8, 3, 64, 64).repeat_interleave(2, 0)
    made = discriminator.moved(pixels, torch.Generator().manual_seed(0), 2)
    assert torch.equal(made[0::2], made[1::2])
    assert not torch.equal(made, pixels)


def test_what_the_discriminator_sees_is_moved_and_stays_a_picture() -> None:
    pixels = torch.ones(64, 3, 64, 64)
    pixels[:, :, 28:36, 28:36] = -0.5
    made = discriminator.moved(pixels, torch.Generator().manual_seed(0))
    assert made.shape == pixels.shape
    places = {tuple(np.argwhere((one < 0).numpy()).min(0)) for one in made.mean(1) if bool((one < -0.2).any())}
    assert len(places) > 20


def test_the_film_keeps_every_frame_with_its_losses(tmp_path: Path) -> None:
    frames, target = tmp_path / "film", tmp_path / "out"
    frames.mkdir()
    target.mkdir()
    lines = []
    for number, step in enumerate((0, 10, 30)):
        pictures = np.full((16, 64, 64, 3), 40 * number, np.uint8)
        pictures[5] = 255  # the second row, the second of its four
        np.save(frames / f"{step:06}.npy", pictures)
        lines.append(json.dumps({"step": step, "pictures": step, "generator": number, "discriminator": 1.0}))
    (frames / "losses.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ship.film(frames, target)
    told = json.loads((target / "film.json").read_text(encoding="utf-8"))
    whole = np.asarray(Image.open(target / "film.webp").convert("RGB"))
    assert [one["step"] for one in told["frames"]] == [0, 10, 30]
    assert whole.shape == (3 * 256, 256, 3)
    for number in range(3):
        assert int(whole[256 * number + 64 + 32, 64 + 32].min()) > 240
        assert abs(int(whole[256 * number + 32, 32, 0]) - 40 * number) < 8


# What comes with the studio


def test_it_is_small() -> None:
    files = [file for file in (STARTERS / "gan").iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 6_000_000
    assert sum(file.stat().st_size for file in STARTERS.rglob("*") if file.is_file()) < 45 << 20


def test_its_film_is_told_of_frame_by_frame() -> None:
    film = gan.film()
    whole = Image.open(io.BytesIO(film.frames))
    assert whole.size == (4 * film.side, 4 * film.side * len(film.told))
    assert [one["step"] for one in film.told] == sorted({one["step"] for one in film.told})
    assert set(film.words) <= {word["name"] for word in gan.words()}
    assert len(film.words) == 16


def test_its_pictures_differ_by_word_and_by_noise() -> None:
    model = GanEngine().load(small.gan(), STARTERS / "gan", Device("cpu"), lambda _: None)
    each = model.paint([Spot((word, word), (1, 1)) for word in range(len(model.words))], 1.0, Quiet())
    assert _spread(each) > 10
    assert _spread(model.paint(gan.several(0, range(8)), 1.0, Quiet())) > 1


def test_its_score_is_the_one_on_its_card() -> None:
    card = (STARTERS / "gan" / "README.md").read_text(encoding="utf-8")
    found = gan.score()
    assert all(f"{found[kind] * 100:.1f} %" in card for kind in ("named", "matcher", "real"))
    assert f"{found['apart']} levels" in card
    assert f"{found['apart_real']}." in card
