"""The second half of Stable Diffusion XL: against diffusers' own ensemble, in both layouts, and off again."""

from dataclasses import replace

import original_layout
import pytest
import tiny_pipelines
import torch
from safetensors.torch import save_file
from tiny import Recorder, card

from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import StudioError
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
KIND = "stable_diffusion_xl"
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=10, guidance_scale=4.0, count=1, seed=5)
pixels = tiny_pipelines.pixels


def tiny_unet(seed=3, across=32, told=5):
    """A network as the refiner's: attention in the middle levels alone, five numbers beside the words."""
    torch.manual_seed(seed)
    return tiny_pipelines._unet(
        block_out_channels=(32, 64, 64), layers_per_block=1, norm_num_groups=32, cross_attention_dim=across,
        attention_head_dim=(1, 1, 1), use_linear_projection=True, transformer_layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=told * 8 + 32,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("refiners")
    tiny_unet().save_pretrained(home / "folder" / "unet")
    tiny_unet(across=64).save_pretrained(home / "other" / "unet")
    states = original_layout.settle_upsamplers(original_layout.unet(tiny_unet()))
    save_file(states, home / "one-file.safetensors")
    (home / "cut.safetensors").write_bytes(b"\x10" + bytes(20))
    return home


@pytest.fixture
def run(painters, home):
    return lambda request, kind=KIND: painters(kind).run(request, Recorder(adapters=home))


def test_the_pixels_are_those_of_the_documented_ensemble(run, painters):
    """The witness: base with denoising_end, refiner with denoising_start, as diffusers documents it."""
    from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

    own = painters(KIND)._family.pipe
    base = StableDiffusionXLPipeline(**own.components, add_watermarker=False)
    rest = StableDiffusionXLImg2ImgPipeline(
        vae=own.vae, text_encoder=None, text_encoder_2=own.text_encoder_2, tokenizer=None,
        tokenizer_2=own.tokenizer_2, unet=tiny_unet().eval(), scheduler=own.scheduler, requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False, add_watermarker=False,
    )  # fmt: skip
    for pipe in (base, rest):
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = type(own.scheduler).from_config(own.scheduler.config)
    generator = torch.Generator("cpu").manual_seed(5)
    latents = base(
        ASK.prompt, width=32, height=32, num_inference_steps=10, guidance_scale=4.0, generator=generator,
        denoising_end=0.7, output_type="latent",
    ).images  # fmt: skip
    expected = rest(
        ASK.prompt, image=latents, num_inference_steps=10, guidance_scale=4.0, generator=generator,
        denoising_start=0.7, output_type="pil",
    ).images[0]  # fmt: skip
    plain = pixels(run(ASK))
    assert pixels(run(replace(ASK, refiner="folder", refiner_at=0.7))) == [expected.tobytes()]
    assert pixels(run(replace(ASK, refiner="one-file", refiner_at=0.7))) == [expected.tobytes()]
    assert pixels(run(ASK)) == plain != [expected.tobytes()]


def test_where_it_begins_counts_and_a_batch_is_its_single_pictures(run):
    asked = replace(ASK, refiner="folder", refiner_at=0.5)
    assert pixels(run(asked)) != pixels(run(replace(asked, refiner_at=0.8)))
    batch = pixels(run(replace(asked, count=2)))
    assert batch == [pixels(run(replace(asked, seed=5 + number)))[0] for number in range(2)]


def test_steps_are_counted_through_both(painters, home):
    recorder = Recorder(adapters=home)
    painters(KIND).run(replace(ASK, refiner="folder"), recorder)
    done = [step for step, _ in recorder.steps]
    assert done == sorted(done)
    assert recorder.steps[-1] == (10, 10)


def test_its_memory_is_counted_and_leaves_again(run, painters):
    model = painters(KIND)
    run(ASK)
    plain = model.nbytes()
    run(replace(ASK, refiner="folder"))
    assert model.nbytes() == plain + sum(one.numel() * one.element_size() for one in tiny_unet().parameters())
    large = replace(card("diffusion"), memory_bytes=7_000_000_000)
    assert ENGINE.work(large, replace(ASK, refiner="folder")) - ENGINE.work(large, ASK) == 4_550_000_000
    run(ASK)
    assert model.nbytes() == plain


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("folder", KIND, ""), ("one-file", KIND, ""), ("other", KIND, "refiner_wrong"),
        ("gone", KIND, "refiner_missing"), ("cut", KIND, "bad_file"),
        ("folder", "stable_diffusion", "refiner_not_taken"),
    ],
)  # fmt: skip
def test_what_fits_is_told_from_headers_alone(name, kind, code, folders, home):
    told = ""
    try:
        ENGINE.check_refiner(card("diffusion"), folders[kind], replace(ASK, refiner=name), (home,))
    except StudioError as error:
        told = error.code
    assert told == code
