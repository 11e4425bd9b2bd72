"""Pictures that are decoded by a VAE of one's own: both layouts, misfits, and the model's own again afterwards."""

from dataclasses import replace

import original_layout
import pytest
import tiny_checkpoints
import tiny_pipelines
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny import Recorder, card

from studio.catalog.card import Source
from studio.engines.image import decoders
from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import StudioError
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=2, guidance_scale=4.0, count=1, seed=5)
pixels = tiny_pipelines.pixels


def tiny_vae(seed=1, **changes):
    torch.manual_seed(seed)
    return tiny_pipelines._vae(**changes)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Decoders of the tiny models: one in three layouts, one that lacks half, and ones that do not fit."""
    home = tmp_path_factory.mktemp("vaes")
    vae = tiny_vae()
    vae.save_pretrained(home / "folder")
    save_file(original_layout.vae(vae), home / "original.safetensors")
    save_file(original_layout.vae(vae, ""), home / "bare.safetensors")
    save_file(vae.state_dict(), home / "diffusers.safetensors")
    save_file(_older(vae.state_dict()), home / "older.safetensors")
    states = original_layout.vae(vae)
    del states["first_stage_model.decoder.conv_out.weight"]
    save_file(states, home / "half.safetensors")
    save_file(original_layout.vae(tiny_vae(latents=16)), home / "wide.safetensors")
    deep = ("DownEncoderBlock2D",) * 3, ("UpDecoderBlock2D",) * 3
    deeper = tiny_vae(block_out_channels=(16, 32, 32), down_block_types=deep[0], up_block_types=deep[1])
    save_file(deeper.state_dict(), home / "deep.safetensors")
    tiny_vae(scaling_factor=0.13025).save_pretrained(home / "scaled")
    told = {"modelspec.architecture": "stable-diffusion-xl-v1-base/vae"}
    save_file(original_layout.vae(vae), home / "told.safetensors", metadata=told)
    save_file(original_layout.vae(vae), home / "my-sdxl_vae.safetensors")
    save_file({"decoder.layers.0.weight": torch.zeros(4)}, home / "taesd.safetensors")
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(4)}, home / "ink.safetensors")
    (home / "cut.safetensors").write_bytes(b"\x10" + bytes(20))
    return home


def _older(states):
    """The names of attention that diffusers gave before 2023, as many published VAEs still have them."""
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    found = {}
    for name, one in states.items():
        called = name
        for new, old in names.items():
            called = called.replace(f".{new}.", f".{old}.") if "attentions" in name else called
        found[called] = one[:, :, None, None] if called.endswith("query.weight") else one
    return found


@pytest.fixture
def run(painters, home):
    return lambda request, kind="stable_diffusion": painters(kind).run(request, Recorder(adapters=home))


def test_the_pixels_are_those_of_the_bare_pipeline_with_that_decoder(run, painters, home):
    """The witness: diffusers' own reader of the same files, in diffusers' own pipeline."""
    from diffusers import AutoencoderKL, StableDiffusionPipeline

    own = painters("stable_diffusion")._family.pipe
    parts = {**own.components, "vae": AutoencoderKL.from_pretrained(home / "folder")}
    bare = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    bare.set_progress_bar_config(disable=True)
    bare.scheduler = type(own.scheduler).from_config(own.scheduler.config)
    expected = bare(
        ASK.prompt, width=32, height=32, num_inference_steps=2, guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(5), output_type="pil",
    ).images[0]  # fmt: skip
    plain = pixels(run(ASK))
    for name in ("folder", "original", "bare", "diffusers", "older"):
        assert pixels(run(replace(ASK, vae=name))) == [expected.tobytes()], name
    assert pixels(run(ASK)) == plain != [expected.tobytes()]


def test_it_encodes_the_picture_that_is_painted_over_and_its_mask(run, painters):
    start, mask = Image.new("RGB", (32, 32), "red"), Image.new("L", (32, 32), 0)
    mask.paste(255, (8, 8, 24, 24))
    over = replace(ASK, image=_png(start), strength=0.6)
    masked = replace(over, mask=_png(mask))
    before = [pixels(run(one)) for one in (over, masked)]
    changed = [pixels(run(replace(one, vae="original"))) for one in (over, masked)]
    assert [pixels(run(one)) for one in (over, masked)] == before
    assert changed[0] != before[0]
    assert changed[1] != before[1]


def test_it_is_counted_as_memory_and_leaves_it_again(run, painters):
    model = painters("stable_diffusion")
    run(ASK)
    plain = model.nbytes()
    run(replace(ASK, vae="original"))
    size = sum(one.numel() * one.element_size() for one in tiny_vae().state_dict().values())
    assert model.nbytes() == plain + size
    assert ENGINE.work(card("diffusion"), replace(ASK, vae="original")) > ENGINE.work(card("diffusion"), ASK) + size
    model.park()
    model.place()
    assert model.nbytes() == plain


def test_a_file_that_was_replaced_is_read_anew(run, home):
    save_file(original_layout.vae(tiny_vae()), home / "mine.safetensors")
    first = pixels(run(replace(ASK, vae="mine")))
    save_file(original_layout.vae(tiny_vae(seed=2)), home / "mine.safetensors")
    assert pixels(run(replace(ASK, vae="mine"))) != first


def test_a_decoder_that_lacks_weights_is_one_error_and_the_model_goes_on(run):
    plain = pixels(run(ASK))
    with pytest.raises(StudioError) as failed:
        run(replace(ASK, vae="half"))
    assert failed.value.code in ("bad_file", "broken_model")
    assert pixels(run(ASK)) == plain


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("original", "stable_diffusion", ""), ("folder", "stable_diffusion", ""), ("diffusers", "stable_diffusion", ""),
        ("wide", "stable_diffusion", "vae_wrong"), ("deep", "stable_diffusion", "vae_wrong"),
        ("scaled", "stable_diffusion", "vae_wrong"), ("told", "stable_diffusion", "vae_wrong"),
        ("my-sdxl_vae", "stable_diffusion", "vae_wrong"), ("taesd", "stable_diffusion", "vae_form"),
        ("ink", "stable_diffusion", "vae_missing"), ("gone", "stable_diffusion", "vae_missing"),
        ("cut", "stable_diffusion", "bad_file"), ("original", "sana_sprint", "vae_not_taken"),
    ],
)  # fmt: skip
def test_what_fits_is_told_from_headers_alone(name, kind, code, folders, home, monkeypatch):
    monkeypatch.setattr(torch, "empty", None)
    monkeypatch.setattr("safetensors.torch.load_file", None)
    told = ""
    try:
        ENGINE.check_vae(card("diffusion"), folders[kind], replace(ASK, vae=name), (home,))
    except StudioError as error:
        told = error.code
    assert told == code


def test_a_misfit_says_what_it_is_and_what_is_wanted(folders, home):
    with pytest.raises(StudioError) as failed:
        ENGINE.check_vae(card("diffusion"), folders["stable_diffusion"], replace(ASK, vae="wide"), (home,))
    assert str(failed.value.params["given"]).startswith("16 × 1/2 × 1/2")
    assert failed.value.params["wanted"] == "4 × 1/2 × 1/2, 0.18215"


def test_of_a_checkpoint_of_one_file_the_family_says_what_its_latents_are(tmp_path, home):
    tiny_checkpoints.save(tiny_checkpoints.one_file("sd1", tiny_checkpoints.sd1()), tmp_path / "dream.safetensors")
    own = replace(card("diffusion"), source=Source("local", path=str(tmp_path / "dream.safetensors")))
    known = decoders.read_own(own, tmp_path / "dream.safetensors")
    assert (known["latent_channels"], known["scaling_factor"]) == (4, 0.18215)


def test_the_size_that_is_reserved_is_that_of_the_published_decoders():
    published = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
    for latents, least in ((4, 0.998), (16, 0.998)):
        with torch.device("meta"):
            vae = tiny_pipelines._vae(
                latents=latents, down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=32, **published,
            )  # fmt: skip
        share = 4 * sum(one.numel() for one in vae.parameters()) / decoders._WORK
        assert least < share < 1.002


def _png(picture):
    import io

    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
