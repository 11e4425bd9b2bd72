"""Pictures of the work in progress: something to see, little to pay, nothing changed."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import CPU, Recorder, card, load
from tiny_pipelines import pixels

from studio.engines.image import previews as _previews
from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.image.previews import Previews, watch
from studio.requests import ImageRequest
from studio.tasks.image.schedulers import SCHEDULERS

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=6, guidance_scale=4.0, seed=5)


@pytest.fixture
def eager(monkeypatch):
    """Previews at every step, whatever they cost."""
    monkeypatch.setattr(_previews, "EVERY", 0.0)
    monkeypatch.setattr(_previews, "SHARE", 1e9)


def small_decoder(channels: int):
    """A decoder of the class that TAESD is, with random weights, for latents of eight pixels a cell."""
    from diffusers import AutoencoderTiny

    torch.manual_seed(1)
    return AutoencoderTiny(
        latent_channels=channels,
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )


@pytest.fixture(scope="module")
def painter(folders):
    model = load(ENGINE, folders["icons"], options={"preview": "vae"})
    yield model
    model.close()


@pytest.mark.parametrize("name", ["", *SCHEDULERS])
def test_the_picture_is_the_same_to_the_byte_with_previews_and_without(painter, eager, name):
    request = replace(ASK, scheduler=name)
    seen, unseen = Recorder(previews=True), Recorder()
    assert pixels(painter.run(request, seen)) == pixels(painter.run(request, unseen))
    assert seen.shown[0].size == (32, 32)
    assert unseen.shown == []


@pytest.mark.parametrize("channels", [4, 16])
def test_a_small_decoder_beside_the_model_shows_the_work(folders, tmp_path, eager, channels):
    kind = {4: "stable_diffusion_xl", 16: "z_image"}[channels]
    shutil.copytree(folders[kind], tmp_path, dirs_exist_ok=True)
    bare = load(ENGINE, tmp_path, options={"preview": "taesd"})
    small_decoder(channels).save_pretrained(tmp_path / "preview")
    model = load(ENGINE, tmp_path, options={"preview": "taesd"})
    assert model.nbytes() > bare.nbytes()
    assert ENGINE.weights(card("diffusion"), tmp_path) == pytest.approx(model.nbytes(), rel=0.02)
    seen, silent = Recorder(previews=True), Recorder(previews=True)
    assert pixels(model.run(ASK, seen)) == pixels(bare.run(ASK, silent))
    assert len(seen.shown) == 5
    assert np.asarray(seen.shown[0]).std() > 0
    assert silent.shown == []


@pytest.mark.parametrize("kind", ["flux2_klein", "sana_sprint", "z_image"])
def test_latents_that_the_decoder_does_not_read_are_not_shown(folders, tmp_path, eager, kind):
    shutil.copytree(folders[kind], tmp_path, dirs_exist_ok=True)
    small_decoder(6).save_pretrained(tmp_path / "preview")
    context = Recorder(previews=True)
    assert load(ENGINE, tmp_path, options={"preview": "taesd"}).run(ASK, context).images
    assert context.shown == []


def test_parts_that_take_turns_on_a_card_are_not_fetched_for_a_preview(folders, eager):
    context = Recorder(previews=True)
    load(ENGINE, folders["icons"], options={"preview": "vae", "offload": "model"}).run(ASK, context)
    assert context.shown == []


def test_without_the_option_nothing_is_shown(folders, eager):
    context = Recorder(previews=True)
    load(ENGINE, folders["icons"]).run(ASK, context)
    assert context.shown == []


def test_painting_over_and_in_is_shown_too_and_not_changed(painter, eager):
    import io

    file = io.BytesIO()
    Image.linear_gradient("L").resize((32, 32)).save(file, "PNG")
    for mask in (b"", file.getvalue()):
        request = replace(ASK, image=file.getvalue(), mask=mask, strength=0.8, hires_scale=2.0, hires_strength=0.6)
        seen = Recorder(previews=True)
        assert pixels(painter.run(request, seen)) == pixels(painter.run(request, Recorder()))
        assert seen.shown


@pytest.mark.parametrize("name", ["", *SCHEDULERS])
def test_previews_show_where_the_work_is_going(painter, name):
    """With a model that always expects the same picture, the very first preview is that picture."""
    target = torch.randn(1, 8, 2, 2, generator=torch.Generator().manual_seed(0))
    scheduler = painter._family.scheduler(name)
    expected = watch(scheduler)
    scheduler.set_timesteps(8)
    latents = torch.randn(1, 8, 2, 2, generator=torch.Generator().manual_seed(1)) * scheduler.init_noise_sigma
    alphas = scheduler.alphas_cumprod
    for t in scheduler.timesteps[:3]:
        seen = scheduler.scale_model_input(latents, t)
        signal, noise = alphas[int(t)] ** 0.5, (1 - alphas[int(t)]) ** 0.5
        velocity = (signal * seen - target) / noise  # what v-prediction says when `target` is what is under the noise
        latents = scheduler.step(velocity, t, latents, return_dict=False)[0]
    assert torch.allclose(expected(latents), target, atol=0.06)


def test_flow_matching_previews_show_where_the_work_is_going():
    from diffusers import FlowMatchEulerDiscreteScheduler

    target, noise = torch.ones(1, 4, 2, 2), torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(1))
    scheduler = FlowMatchEulerDiscreteScheduler()
    expected = watch(scheduler)
    scheduler.set_timesteps(8)
    latents = scheduler.step(noise - target, scheduler.timesteps[0], noise, return_dict=False)[0]
    assert torch.allclose(expected(latents), target, atol=1e-4)
    assert expected(noise) is not noise


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("cost", "step"), [(0.01, 0.05), (0.3, 0.05), (2.0, 0.2)])
def test_previews_keep_their_share_small_and_come_when_they_are_cheap(folders, monkeypatch, cost, step):
    clock = Clock()
    model = load(ENGINE, folders["icons"], options={"preview": "vae"})
    previews = Previews(card("diffusion", options={"preview": "vae"}), model._family.pipe, folders["icons"], CPU, clock)
    context, latents = Recorder(previews=True), torch.zeros(1, 8, 2, 2)

    def decode(_):
        clock.now += cost
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr(previews, "_decode", decode)
    for run in range(2):  # the first run learns what one costs
        context.shown.clear()
        previews.begin()
        started = clock.now
        while clock.now - started < 60:
            clock.now += step
            previews.show(latents, context, 0)
        work = clock.now - started - cost * len(context.shown)
        assert context.shown
        if run:
            assert cost * len(context.shown) <= 0.15 * work
    if cost < 0.05:
        assert len(context.shown) > 60  # about two a second
    model.close()
