"""Several prompts for one picture: joined by AND, and each for a region of it, against loops written out."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import Recorder
from tiny_pipelines import near, pixels

from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import Cancelled
from studio.request_parts import Region
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=3, guidance_scale=4.0, seed=5)
UNETS = ("stable_diffusion", "latent_consistency", "icons", "stable_diffusion_xl")


def mask(box=(0, 0, 32, 32), size=(32, 32)) -> bytes:
    picture = Image.new("L", size)
    picture.paste(255, box)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


ALL, LEFT = mask(), mask((0, 0, 16, 32))


@pytest.fixture
def paint(painters):
    def paint(kind="stable_diffusion", **changes):
        return pixels(painters(kind).run(replace(ASK, **changes), Recorder()))[0]

    return paint


@pytest.fixture
def latents(painters, monkeypatch):
    """A function that gives the latents of a picture as they come to the decoder."""

    def found(kind="stable_diffusion", **changes):
        kept = []
        vae = painters(kind)._family.pipe.vae
        decode = vae.decode
        monkeypatch.setattr(vae, "decode", lambda z, *args, **more: kept.append(z.clone()) or decode(z, *args, **more))
        painters(kind).run(replace(ASK, **changes), Recorder())
        monkeypatch.undo()
        return kept[-1][0].numpy()

    return found


@pytest.mark.parametrize("kind", UNETS)
def test_a_region_that_is_everything_is_a_picture_of_its_prompt(paint, kind):
    changes = {"width": 64, "height": 64} if kind == "icons" else {}
    words = "[red:hello world:0.5] (heart:1.3)"
    expected = paint(kind, prompt=words, **changes)
    assert near(paint(kind, prompt="the capital", regions=(Region(words, ALL),), **changes), expected)
    assert not near(paint(kind, prompt="the capital", **changes), expected)


@pytest.mark.parametrize("kind", UNETS)
def test_a_region_that_counts_for_nothing_changes_nothing(paint, kind):
    assert paint(kind, regions=(Region("hello world", ALL, 0.0),)) == paint(kind)


def test_within_a_step_a_prompt_reaches_its_region_only(latents):
    """The mask has edges between cells: outside of it not a bit may change, inside it is the other picture."""
    one = {"steps": 1, "scheduler": "DDIM"}
    base, other = latents(**one), latents(prompt="hello world", **one)
    both = latents(regions=(Region("hello world", LEFT),), **one)
    half = both.shape[-1] // 2
    assert np.allclose(both[..., :half], other[..., :half], atol=1e-5)
    assert np.array_equal(both[..., half:], base[..., half:])
    assert np.abs(base - other)[..., :half].mean() > 1e-3


@pytest.mark.parametrize("kind", ["stable_diffusion", "stable_diffusion_xl"])
def test_over_many_steps_a_prompt_reaches_its_region_most(latents, kind):
    changes = {"steps": 8, "scheduler": "DDIM", "width": 64, "height": 64}
    wide = mask((0, 0, 32, 64), (64, 64))
    apart = np.abs(
        latents(kind, regions=(Region("hello world", wide),), **changes)
        - latents(kind, regions=(Region("Paris the capital", wide),), **changes)
    ).mean(0)
    half = apart.shape[-1] // 2
    assert apart[:, :half].mean() > 1.5 * apart[:, half + 4 :].mean() > 0


def test_two_regions_and_the_rest(latents):
    one = {"steps": 1, "scheduler": "DDIM"}
    regions = (Region("hello world", mask((0, 0, 8, 32))), Region("Paris", mask((8, 0, 16, 32))))
    made = latents(regions=regions, **one)
    parts = [latents(prompt=words, **one) for words in ("hello world", "Paris", "a red heart")]
    quarter = made.shape[-1] // 4
    assert np.allclose(made[..., :quarter], parts[0][..., :quarter], atol=1e-5)
    assert np.allclose(made[..., quarter : 2 * quarter], parts[1][..., quarter : 2 * quarter], atol=1e-5)
    assert np.array_equal(made[..., 2 * quarter :], parts[2][..., 2 * quarter :])


def test_the_weight_says_how_much_is_the_pictures_own_prompt(latents):
    one = {"steps": 1, "scheduler": "DDIM"}
    base, other = latents(**one), latents(prompt="hello world", **one)
    made = latents(regions=(Region("hello world", ALL, 0.25),), **one)
    assert np.allclose(made, 0.75 * base + 0.25 * other, atol=1e-4)
    twice = latents(regions=(Region("hello world", ALL), Region("a red heart", ALL)), **one)
    assert np.allclose(twice, 0.5 * base + 0.5 * other, atol=1e-4)


def written_out(pipe, prompts, weights, steps=3, guidance=4.0, seed=5):
    """Composable diffusion as its paper has it, by the bare parts of the pipeline."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    scheduler.set_timesteps(steps)
    generator = torch.Generator("cpu").manual_seed(seed)
    sample = torch.randn((1, 4, 16, 16), generator=generator) * scheduler.init_noise_sigma
    with torch.inference_mode():
        texts = [pipe.encode_prompt(words, "cpu", 1, False)[0] for words in ("", *prompts)]
        for timestep in scheduler.timesteps:
            empty, *said = [pipe.unet(sample, timestep, encoder_hidden_states=text).sample for text in texts]
            pull = sum(weight * (each - empty) for weight, each in zip(weights, said, strict=True))
            sample = scheduler.step(empty + guidance * pull, timestep, sample, eta=0.0).prev_sample
    return (sample / pipe.vae.config.scaling_factor)[0].numpy()


@pytest.mark.parametrize(
    ("prompt", "weights"),
    [
        ("a red heart AND hello world", (1.0, 1.0)),
        ("a red heart :0.3 AND hello world: 0.7", (0.3, 0.7)),
        ("a red heart AND hello world :-0.5", (1.0, -0.5)),
    ],
)
def test_and_adds_the_pulls_of_its_prompts(painters, latents, prompt, weights):
    expected = written_out(painters("stable_diffusion")._family.pipe, ("a red heart", "hello world"), weights)
    assert np.allclose(latents(prompt=prompt, scheduler="DDIM"), expected, atol=2e-4)


def test_and_works_within_regions_and_schedules_and_is_said_where_it_cannot(painters, paint):
    joined = paint(prompt="hello AND world")
    assert joined not in (paint(prompt="hello"), paint(prompt="world"), paint(prompt="hello world"))
    assert near(paint(regions=(Region("hello AND world", ALL),)), joined)
    assert paint(prompt="hello AND [world:Paris:0.5]") not in (joined, paint(prompt="hello AND Paris"))
    model = painters("stable_diffusion")
    assert model.run(replace(ASK, prompt="a heart AND a world"), Recorder()).notes == ()
    alone = model.run(replace(ASK, prompt="a heart AND a world", guidance_scale=1.0), Recorder())
    assert alone.notes == (("no_and", {}),)


def test_a_batch_is_its_single_pictures_and_no_trace_is_left(painters, paint):
    plain = paint()
    asked = {"regions": (Region("hello world", LEFT),)}
    batch = painters("stable_diffusion").run(replace(ASK, count=2, **asked), Recorder())
    assert pixels(batch) == [paint(seed=5 + number, **asked) for number in range(2)]
    with pytest.raises(Cancelled):
        painters("stable_diffusion").run(replace(ASK, **asked), Recorder(stop_after=1))
    assert "forward" not in vars(painters("stable_diffusion")._family.pipe.unet)
    assert paint() == plain


def test_over_pictures_and_masks_and_enlarged(paint):
    start = io.BytesIO()
    Image.linear_gradient("L").resize((32, 32)).convert("RGB").save(start, "PNG")
    regions = (Region("hello world", LEFT),)
    for changes in (
        {"image": start.getvalue(), "strength": 0.7},
        {"image": start.getvalue(), "mask": mask((4, 4, 28, 28)), "strength": 0.7},
        {"width": 64, "height": 64, "hires_scale": 2.0, "hires_strength": 0.7},
    ):
        assert paint(regions=regions, **changes) != paint(**changes)
        assert near(paint(prompt="the capital", regions=(Region("a red heart", ALL),), **changes), paint(**changes))


def test_where_only_a_part_is_painted_the_regions_lie_in_the_whole_picture(paint):
    start = io.BytesIO()
    Image.linear_gradient("L").resize((96, 96)).convert("RGB").save(start, "PNG")
    asked = {
        "image": start.getvalue(), "mask": mask((0, 0, 30, 30), (96, 96)), "masked_only": True, "mask_padding": 0,
        "strength": 0.8,
    }  # fmt: skip
    elsewhere, there = mask((48, 48, 96, 96), (96, 96)), mask((0, 0, 48, 48), (96, 96))
    assert paint(regions=(Region("hello world", elsewhere),), **asked) == paint(**asked)
    assert near(paint(regions=(Region("hello world", there),), **asked), paint(**(asked | {"prompt": "hello world"})))
    assert not near(paint(regions=(Region("hello world", there),), **asked), paint(**asked))
