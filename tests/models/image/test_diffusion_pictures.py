"""Pictures that start from pictures: painting over, painting in, varying, enlarging, skipping."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import Recorder
from tiny_pipelines import pixels

from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import Cancelled, StudioError
from studio.requests import ImageRequest
from studio.tasks.image.schedulers import SCHEDULERS

ENGINE = DiffusionEngine()
OVER = ("stable_diffusion", "latent_consistency", "icons", "stable_diffusion_xl", "z_image")
VARIED = ("stable_diffusion", "latent_consistency", "icons", "stable_diffusion_xl", "z_image", "sana_sprint")
SIDE = 32
ASK = ImageRequest(prompt="a red heart", width=SIDE, height=SIDE, steps=4, guidance_scale=4.0, strength=0.5, seed=5)


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def half(width: int, height: int) -> Image.Image:
    """A mask whose right half is painted."""
    mask = Image.new("L", (width, height))
    mask.paste(255, (width // 2, 0, width, height))
    return mask


START = png(noise(SIDE, SIDE))


@pytest.mark.parametrize("kind", OVER)
def test_a_picture_is_painted_over_with_the_weights_that_are_there(painters, kind):
    model = painters(kind)
    before, plain = model.nbytes(), pixels(model.run(ASK, Recorder()))
    context = Recorder()
    batch = model.run(replace(ASK, image=START, count=2), context)
    assert batch.images[0].size == (SIDE, SIDE)
    assert pixels(model.run(replace(ASK, image=START, seed=6), Recorder())) == pixels(batch)[1:]
    assert pixels(batch)[0] not in (plain[0], pixels(batch)[1])
    assert context.steps[-1][0] == context.steps[-1][1]
    assert context.steps[-1][1] < 2 * 2 * 4 or kind == "latent_consistency"  # half the strength, half the steps
    assert model.nbytes() == before
    shared = {id(part) for part in model._family.member(over=True).pipe.components.values()}
    assert id(model._family.pipe.vae) in shared
    assert pixels(model.run(ASK, Recorder())) == plain


@pytest.mark.parametrize("kind", OVER)
def test_painting_over_is_what_the_bare_library_makes(painters, kind):
    from diffusers.pipelines.auto_pipeline import AutoPipelineForImage2Image

    model = painters(kind)
    pipe = AutoPipelineForImage2Image.from_pipe(model._family.pipe)
    pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    size = {"width": SIDE, "height": SIDE} if kind == "z_image" else {}
    bare = pipe(
        prompt="a red heart", image=noise(SIDE, SIDE), strength=0.5, num_inference_steps=4, guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(5), **size,
    ).images[0]  # fmt: skip
    model._family.restore()
    assert pixels(model.run(replace(ASK, image=START), Recorder())) == [bare.tobytes()]


@pytest.mark.parametrize("kind", OVER)
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_outside_the_mask_not_a_pixel_changes(painters, kind, strength):
    model = painters(kind)
    before = model.nbytes()
    request = replace(ASK, image=START, mask=png(half(SIDE, SIDE)), strength=strength)
    output = model.run(replace(request, count=2), Recorder())
    start, painted = np.asarray(noise(SIDE, SIDE)), np.asarray(output.images[0])
    assert (painted[:, : SIDE // 2] == start[:, : SIDE // 2]).all()
    assert (painted[:, SIDE // 2 :] != start[:, SIDE // 2 :]).mean() > 0.8
    assert pixels(model.run(replace(request, seed=6), Recorder())) == pixels(output)[1:]
    assert model.nbytes() == before


def test_what_a_mask_keeps_is_seen_by_the_model_with_any_number_of_channels(painters):
    """Painted by hand where diffusers has no pipeline for the latents: the kept half reaches the other one."""
    request = replace(ASK, width=64, height=64, mask=png(half(64, 64)), strength=1.0)
    model = painters("icons")
    one = model.run(replace(request, image=png(Image.new("RGB", (64, 64), "red"))), Recorder())
    two = model.run(replace(request, image=png(noise(64, 64))), Recorder())
    right = (slice(None), slice(48, None))
    assert (np.asarray(one.images[0])[right] != np.asarray(two.images[0])[right]).any()


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("kind", ["stable_diffusion", "icons"])
def test_every_scheduler_paints_over_and_in(painters, kind, name):
    request = replace(ASK, image=START, scheduler=name, steps=6)
    assert painters(kind).run(request, Recorder()).images
    assert painters(kind).run(replace(request, mask=png(half(SIDE, SIDE))), Recorder()).images


def test_a_picture_of_another_shape_is_brought_to_size(painters):
    output = painters("icons").run(replace(ASK, image=png(noise(100, 41)), mask=png(half(50, 60))), Recorder())
    assert output.images[0].size == (SIDE, SIDE)


def test_strength_decides_how_far_from_the_picture_it_goes(painters):
    def distance(strength: float) -> float:
        output = painters("icons").run(replace(ASK, steps=20, image=START, strength=strength), Recorder())
        return np.abs(np.asarray(output.images[0]).astype(int) - np.asarray(noise(SIDE, SIDE))).mean()

    assert distance(0.0) == 0
    assert distance(0.01) > 0


def test_one_step_models_still_take_a_step(painters):
    context = Recorder()
    painters("icons").run(replace(ASK, steps=1, image=START, strength=0.3), context)
    assert context.steps == [(1, 1)]


@pytest.mark.parametrize("strength", [0.002, 0.03, 0.1])
def test_consistency_models_take_what_steps_they_know_of_a_low_strength(painters, strength):
    asked = replace(ASK, image=START, strength=strength)
    assert painters("latent_consistency").run(asked, Recorder()).images


def test_a_model_that_takes_no_picture_says_so_before_it_starts(painters):
    context = Recorder()
    with pytest.raises(StudioError) as caught:
        painters("sana_sprint").run(replace(ASK, image=START), context)
    assert caught.value.code == "no_image_input"
    assert context.steps == []


def test_a_model_that_reads_pictures_as_examples_says_that_strength_is_nothing_to_it(painters):
    asked = replace(ASK, width=64, height=64, guidance_scale=1.0, strength=0.1, hires_scale=2.0)
    context = Recorder()
    output = painters("flux2_klein").run(replace(asked, image=png(noise(64, 64))), context)
    assert output.notes == (("no_strength", {}), ("no_hires", {}))
    assert context.steps[-1] == (4, 4)
    plain = painters("flux2_klein").run(asked, Recorder())
    assert pixels(plain) != pixels(output)


def test_schedulers_that_were_taught_so_many_steps_are_asked_for_no_more(painters):
    output = painters("icons").run(replace(ASK, scheduler="LCM", steps=51), Recorder())
    assert output.notes == (("fewer_steps", {"count": 50, "wanted": 51}),)
    assert pixels(output) == pixels(painters("icons").run(replace(ASK, scheduler="LCM", steps=50), Recorder()))


def test_a_file_that_is_no_picture_is_refused(painters):
    with pytest.raises(StudioError) as caught:
        painters("icons").run(replace(ASK, image=b"no picture"), Recorder())
    assert caught.value.code == "bad_image"


def test_varied_pictures_of_a_batch_are_relatives_of_its_seed(painters):
    """One seed, a variation seed each: as near to the picture of the seed as their share says. Each repeats alone."""
    model = painters("icons")
    base = replace(ASK, seed=100, steps=4, image=b"", mask=b"")
    plain = pixels(model.run(base, Recorder()))[0]
    output = model.run(replace(base, count=4, variation=0.1, variation_seed=7), Recorder())
    assert (output.seeds, output.variation_seeds) == ((100,) * 4, (7, 8, 9, 10))
    strangers = pixels(model.run(replace(base, seed=101, count=3), Recorder()))
    apart = [_distance([one], [plain]) for one in pixels(output)]
    assert 0 < sum(apart) / 4 < min(_distance([one], [plain]) for one in strangers) / 2
    alone = model.run(replace(base, variation=0.1, variation_seed=9), Recorder())
    assert pixels(alone)[0] == pixels(output)[2]
    over = model.run(replace(base, count=2, variation=0.1, variation_seed=7, image=START), Recorder())
    assert (over.seeds, over.variation_seeds) == ((100, 101), ())


@pytest.mark.parametrize("kind", VARIED)
def test_variation_goes_from_one_seed_to_the_other(painters, kind):
    model = painters(kind)
    base = replace(ASK, steps=2)
    this, other = (pixels(model.run(replace(base, seed=seed), Recorder())) for seed in (5, 9))
    nearly = pixels(model.run(replace(base, variation=1e-9, variation_seed=9), Recorder()))
    middle = pixels(model.run(replace(base, variation=0.5, variation_seed=9), Recorder()))
    assert _distance(nearly, this) < 1
    assert middle not in (this, other)
    assert pixels(model.run(replace(base, variation=0.5, variation_seed=9), Recorder())) == middle
    assert pixels(model.run(replace(base, variation=0.5, variation_seed=10), Recorder())) != middle
    if kind not in ("sana_sprint", "latent_consistency"):  # draw more noise at each step, from the first seed
        assert _distance(pixels(model.run(replace(base, variation=1.0, variation_seed=9), Recorder())), other) < 1


def _distance(one: list[bytes], two: list[bytes]) -> float:
    return float(np.abs(np.frombuffer(one[0], np.uint8).astype(int) - np.frombuffer(two[0], np.uint8)).mean())


def test_noise_between_two_seeds_is_as_loud_as_theirs():
    from studio.engines.image.latents import _slerp

    first, second = (torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    for share in (0.1, 0.5, 0.9):
        assert float(_slerp(first, second, share).std()) == pytest.approx(1, abs=0.02)


def test_where_noise_cannot_be_varied_a_note_says_so(painters):
    output = painters("flux2_klein").run(replace(ASK, guidance_scale=1.0, variation=0.5, variation_seed=1), Recorder())
    assert output.notes == (("no_variation", {}),)


@pytest.mark.parametrize("kind", OVER)
def test_hires_paints_small_then_large_and_counts_all_steps(painters, kind):
    model = painters(kind)
    asked = replace(ASK, width=64, height=64, hires_scale=2.0, hires_strength=0.5)
    context = Recorder()
    output = model.run(replace(asked, count=2), context)
    assert output.images[0].size == (64, 64)
    done = [step for step, _ in context.steps]
    assert done == sorted(set(done))
    assert context.steps[-1][0] == context.steps[-1][1] == len(done)
    assert len(done) > 2 * 4
    assert pixels(model.run(replace(asked, seed=6), Recorder())) == pixels(output)[1:]
    assert pixels(model.run(replace(asked, hires_scale=1.0), Recorder())) != pixels(output)[:1]


def test_hires_goes_with_a_picture_and_a_mask(painters):
    start = noise(64, 64)
    asked = replace(ASK, width=64, height=64, hires_scale=2.0, hires_strength=0.5)
    output = painters("icons").run(replace(asked, image=png(start), mask=png(half(64, 64))), Recorder())
    assert (np.asarray(output.images[0])[:, :32] == np.asarray(start)[:, :32]).all()


def test_hires_without_painting_over_paints_at_once_and_says_so(painters):
    asked = replace(ASK, steps=2, width=64, height=64)
    output = painters("sana_sprint").run(replace(asked, hires_scale=2.0), Recorder())
    assert output.notes == (("no_hires", {}),)
    assert pixels(output) == pixels(painters("sana_sprint").run(asked, Recorder()))


def test_each_picture_has_its_own_prompt_where_it_was_given_one(painters):
    model = painters("icons")
    both = model.run(replace(ASK, prompt="{x|y}", prompts=("a red heart", "hello world"), count=2), Recorder())
    singles = [replace(ASK, prompt="a red heart"), replace(ASK, prompt="hello world", seed=6)]
    assert pixels(both) == [pixels(model.run(single, Recorder()))[0] for single in singles]


def test_tiling_can_be_asked_for_at_any_size(painters):
    model = painters("icons")
    model.run(replace(ASK, tiling=True), Recorder())
    assert model._family.pipe.vae.use_tiling
    model.run(ASK, Recorder())
    assert not model._family.pipe.vae.use_tiling


@pytest.mark.parametrize("after", [1, 5, 6])
def test_skip_drops_the_picture_in_work_and_no_other(painters, after):
    model = painters("icons")
    whole = model.run(replace(ASK, count=3), Recorder())
    output = model.run(replace(ASK, count=3), Recorder(skip_after=after))
    dropped = (after - 1) // 4
    assert output.finish == "stop"
    assert output.seeds == tuple(seed for seed in (5, 6, 7) if seed != 5 + dropped)
    assert pixels(output) == [one for number, one in enumerate(pixels(whole)) if number != dropped]


def test_skip_during_decoding_drops_the_picture_that_is_decoded(painters):
    class Late(Recorder):
        asked = 0

        def skipped(self):
            self.asked += 1
            return self.asked == ASK.steps + 1

    assert painters("icons").run(replace(ASK, count=2), Late()).seeds == (6,)


def test_nothing_is_left_of_a_single_picture_that_was_skipped(painters):
    with pytest.raises(Cancelled):
        painters("icons").run(ASK, Recorder(skip_after=2))


@pytest.mark.parametrize("request_", [replace(ASK, image=START), replace(ASK, image=START, mask=START)])
def test_stop_while_painting_over_leaves_everything_usable(painters, request_):
    model = painters("icons")
    expected = pixels(model.run(ASK, Recorder()))
    with pytest.raises(Cancelled):
        model.run(request_, Recorder(stop_after=1))
    assert pixels(model.run(ASK, Recorder())) == expected
