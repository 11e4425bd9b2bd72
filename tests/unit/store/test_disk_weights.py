"""What a file of weights is, told from its header: kind, family, what it was taught, and why it cannot be used."""

from __future__ import annotations

import zipfile
from pathlib import Path

import disk_files
import pytest
from disk_files import CLIP, SD1, SDXL, UNET, VAE

from studio.store.disk.weights import read_weights

FLUX = {
    "double_blocks.0.img_attn.norm.key_norm.scale": (128,), "img_in.weight": (3072, 64), "txt_in.weight": (3072, 4096),
}  # fmt: skip
GUIDED = {"guidance_in.in_layer.weight": (3072, 256)}
SD3 = {"joint_blocks.0.context_block.adaLN_modulation.1.bias": (9216,), "pos_embed": (1, 36864, 1536)}
CASES = {
    "sd1": (SD1 | VAE | {CLIP: (77, 768)}, ("checkpoint", "sd1", "")),
    "sd1 alone": (SD1, ("denoiser", "sd1", "")),
    "sd1 inpaint": (SD1 | {UNET + "input_blocks.0.0.weight": (320, 9, 3, 3)}, ("denoiser", "sd1", "inpaint")),
    "sd2": (
        {UNET + "input_blocks.0.0.weight": (320, 4, 3, 3), UNET + "input_blocks.1.1.proj_in.weight": (320, 320),
         "cond_stage_model.model.positional_embedding": (77, 1024)},
        ("checkpoint", "sd2", ""),
    ),
    "sdxl": (SDXL | VAE, ("checkpoint", "sdxl", "")),
    "sdxl refiner": (
        {UNET + "input_blocks.0.0.weight": (384, 4, 3, 3), UNET + "label_emb.0.0.weight": (1536, 2560),
         "conditioner.embedders.0.model.positional_embedding": (77, 1280)},
        ("checkpoint", "sdxl-refiner", ""),
    ),
    "sd3": (SD3, ("denoiser", "sd3", "3-medium")),
    "sd3.5 medium": (
        SD3 | {"joint_blocks.0.x_block.attn2.qkv.weight": (4608, 1536)}, ("denoiser", "sd3", "3.5-medium")
    ),
    "sd3.5 large": (SD3 | {"joint_blocks.37.x_block.mlp.fc1.weight": (9728, 2432)}, ("denoiser", "sd3", "3.5-large")),
    "flux schnell": (FLUX, ("denoiser", "flux1", "schnell")),
    "flux dev": (FLUX | GUIDED, ("denoiser", "flux1", "dev")),
    "flux fill": (FLUX | GUIDED | {"img_in.weight": (3072, 384)}, ("denoiser", "flux1", "fill")),
    "flux of comfyui": ({f"{UNET}{name}": one for name, one in FLUX.items()}, ("denoiser", "flux1", "schnell")),
    "flux2": ({"single_stream_modulation.lin.weight": (9216, 3072)}, ("denoiser", "flux2", "klein")),
    "chroma": (FLUX | {"distilled_guidance_layer.in_proj.bias": (5120,)}, ("denoiser", "chroma", "")),
    "z-image": ({"layers.0.adaLN_modulation.0.weight": (15360, 256)}, ("denoiser", "z-image", "")),
    "qwen-image": ({"transformer_blocks.0.attn.norm_added_k.weight": (128,)}, ("denoiser", "qwen-image", "")),
    "wan": ({"head.modulation": (1, 2, 1536)}, ("denoiser", "wan", "")),
    "vae": (
        {"decoder.conv_in.weight": (512, 16, 3, 3), "decoder.mid.block_1.norm1.weight": (512,)}, ("vae", "flux1", "")
    ),
    "clip": ({"text_model.embeddings.position_embedding.weight": (77, 1280)}, ("text_encoder", "clip-g", "")),
    "t5": ({"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}, ("text_encoder", "t5", "")),
    "control": ({"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)}, ("control", "", "")),
    "esrgan": (disk_files.ESRGAN, ("upscaler", "ESRGAN", "×4")),
    "esrgan without colours": (
        disk_files.ESRGAN | {"conv_first.weight": (64, 1, 3, 3), "conv_last.weight": (1, 64, 3, 3)},
        ("upscaler", "ESRGAN", ""),
    ),
    "swin2sr without its folder": ({"swin2sr.first_convolution.weight": (180, 3, 3, 3)}, ("upscaler", "Swin2SR", "")),
    "embedding": ({"emb_params": (8, 768)}, ("embedding", "", "")),
    "xl embedding": ({"clip_l": (2, 768), "clip_g": (2, 1280)}, ("embedding", "", "")),
    "kohya's xl lora": ({"lora_te2_text_model_x.lora_down.weight": (4, 1280)}, ("lora", "sdxl", "")),
    "kohya's lora": ({"lora_te_text_model_x.lora_down.weight": (4, 768)}, ("lora", "sd1", "")),
    "peft's flux lora": ({"transformer.single_transformer_blocks.0.x.lora_A.weight": (4, 9)}, ("lora", "flux1", "")),
    "lokr": ({"lora_unet_x.lokr_w1": (4, 9), "lora_te2_x.lokr_w1": (4, 9)}, ("lora", "sdxl", "")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_what_its_tensors_are(tmp_path: Path, name: str) -> None:
    shapes, expected = CASES[name]
    found = read_weights(disk_files.weights(tmp_path / "x.safetensors", shapes))
    assert (found.kind, found.family, found.variant) == expected
    assert not found.reason
    assert found.nbytes == (tmp_path / "x.safetensors").stat().st_size


def test_its_parts_numbers_and_type_are_told(tmp_path: Path) -> None:
    found = read_weights(
        disk_files.weights(tmp_path / "x.safetensors", SDXL | VAE, "F8_E4M3", {"modelspec.title": "My XL"})
    )
    assert found.holds == ("denoiser", "vae", "clip_l", "clip_g")
    assert (found.dtype, found.title) == ("F8_E4M3", "My XL")
    assert found.parameters == 320 * 4 * 9 + 1280 * 2816 + 640 * 2048 + 77 * 768 + 77 * 1280 + 512 * 4 * 9


@pytest.mark.parametrize(
    ("name", "more", "meta", "expected"),
    [
        ("x", {"v_pred": (0,), "ztsnr": (0,)}, {}, ("v_prediction", True)),
        ("x", {"v_pred": (0,)}, {}, ("v_prediction", False)),
        ("x", {}, {"modelspec.prediction_type": "v"}, ("v_prediction", False)),
        ("x", {}, {"modelspec.prediction_type": "epsilon"}, ("epsilon", False)),
        ("x", {}, {"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"}, ("v_prediction", True)),
        ("noobai-vpred-1", {}, {}, ("v_prediction", False)),
        ("x", {}, {}, ("", False)),
    ],
)
def test_what_it_predicts_is_told_where_it_is_marked(tmp_path: Path, name, more, meta, expected) -> None:
    found = read_weights(disk_files.weights(tmp_path / f"{name}.safetensors", SDXL | more, meta=meta))
    assert (found.prediction, found.zero_snr) == expected


def test_the_settings_beside_it_are_read_as_other_programs_read_them(tmp_path: Path) -> None:
    file = disk_files.weights(tmp_path / "x.safetensors", SD1)
    assert read_weights(file).prediction == ""
    file.with_suffix(".yaml").write_text("model:\n  params:\n    parameterization: 'v'\n")
    assert read_weights(file).prediction == "v_prediction"


def test_what_hides_behind_a_name_is_told(tmp_path: Path) -> None:
    whole = disk_files.weights(tmp_path / "whole.safetensors", SD1).read_bytes()
    with zipfile.ZipFile(tmp_path / "pickle", "w") as torch_file:
        torch_file.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    with zipfile.ZipFile(tmp_path / "plain", "w") as plain:
        plain.writestr("a.txt", "x" * 50)
    cases = {
        "pickle": (tmp_path / "pickle").read_bytes(), "zip": (tmp_path / "plain").read_bytes(), "empty": b"",
        "web_page": b"\n<!doctype html><title>Sign in</title>", "cut": whole[:-1000], "damaged": b"x" * 100,
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    }  # fmt: skip
    for reason, data in cases.items():
        (tmp_path / "x.safetensors").write_bytes(data)
        assert read_weights(tmp_path / "x.safetensors").reason == reason
    (tmp_path / "x.safetensors").write_bytes(b"\x80\x02}q\x00(X\x05\x00\x00\x00hello" * 4)
    assert read_weights(tmp_path / "x.safetensors").reason == "pickle"
    assert read_weights(tmp_path / "nothing.safetensors").reason == "not_readable"


@pytest.mark.parametrize("mark", ["scaled_fp8", "x.quant_state.bitsandbytes__nf4", "x.wscales", "x.scale_weight"])
def test_weights_that_nothing_here_unpacks_are_told(tmp_path: Path, mark: str) -> None:
    assert read_weights(disk_files.weights(tmp_path / "x.safetensors", FLUX | {mark: (2,)})).reason == "packed"


def test_a_gguf_file_is_a_model_a_part_of_one_or_a_painter(tmp_path: Path) -> None:
    chat = disk_files.gguf(tmp_path / "a.gguf", "qwen3")
    assert (read_weights(chat).kind, read_weights(chat).family, read_weights(chat).title) == (
        "language",
        "qwen3",
        "Tiny",
    )
    assert read_weights(chat, whole=True).parameters == 300 * 8
    assert read_weights(disk_files.gguf(tmp_path / "b.gguf", "clip", vocabulary=False)).kind == "projector"
    painter = disk_files.gguf(tmp_path / "c.gguf", "flux", dict.fromkeys(FLUX | GUIDED, (2, 32)), vocabulary=False)
    assert (read_weights(painter).kind, read_weights(painter).family) == ("denoiser", "flux1")
    assert read_weights(disk_files.gguf(tmp_path / "d.gguf", "llama", vocabulary=False)).reason == "no_vocabulary"
    chat.write_bytes(chat.read_bytes()[:-500])
    assert read_weights(chat, whole=True).reason == "cut"
    chat.write_bytes(b"GGUF" + b"\xff" * 60)
    assert read_weights(chat).reason == "damaged"
