"""LoHa, LoKr and whole differences: on the model what their formulas say, however a file writes them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_diffusion_lora import make_lora
from tiny import Recorder, load
from tiny_pipelines import pixels

from studio.engines.image import lycoris
from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import StudioError
from studio.request_parts import Lora
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=2, guidance_scale=4.0, seed=5)
LINEAR, CONV = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", "down_blocks.1.resnets.0.conv1"
POINT = "down_blocks.1.attentions.0.proj_in"


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) * 0.3


def loha(out: int, inside: int, kernel: int = 1) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    parts = {f"hada_w{n}_a": noise(out, 2) + n for n in (1, 2)} | {
        f"hada_w{n}_b": noise(2, inside * kernel) for n in (1, 2)
    }
    whole = (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"])
    return parts | {"alpha": torch.tensor(1.0)}, whole * 0.5


def loha_with_kernel(out: int, inside: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    parts = {f"hada_w{n}_a": noise(2, out) + n for n in (1, 2)} | {f"hada_w{n}_b": noise(2, inside) for n in (1, 2)}
    parts |= {f"hada_t{n}": noise(2, 2, 3, 3) for n in (1, 2)}
    one, two = (
        sum(
            parts[f"hada_t{n}"][i, j]
            * parts[f"hada_w{n}_a"][i, :, None, None, None]
            * parts[f"hada_w{n}_b"][j, :, None, None]
            for i in range(2)
            for j in range(2)
        )
        for n in (1, 2)
    )
    return parts, one * two


def lokr(out: int, inside: int, kernel: int = 1, whole: bool = False) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    first = noise(4, 4)
    second_up, second_down = noise(out // 4, 2), noise(2, inside // 4 * kernel)
    second = second_up @ second_down
    product = torch.from_numpy(np.kron(first.numpy(), second.numpy()))
    if whole:  # alpha means nothing then
        return {"lokr_w1": first, "lokr_w2": second, "alpha": torch.tensor(1.0)}, product
    parts = {"lokr_w1": first, "lokr_w2_a": second_up, "lokr_w2_b": second_down, "alpha": torch.tensor(1.0)}
    return parts, product * 0.5


def difference(out: int, inside: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    whole = noise(out, inside)
    return {"diff": whole}, whole


@pytest.fixture(scope="module")
def painter(folders):
    model = load(ENGINE, folders["stable_diffusion"])
    yield model
    model.close()


def layer(model, name: str):
    return model._family.pipe.unet.get_submodule(name)


def effect(model, name: str) -> torch.Tensor:
    """What an adaptation adds to a layer's weight, by peft's own account."""
    return layer(model, name).get_delta_weight("adapter0")


@pytest.mark.parametrize("naming", ["lora_unet_", "unet."])
@pytest.mark.parametrize(
    "make", [loha, lokr, lambda *s: lokr(*s, whole=True), difference], ids=["loha", "lokr", "whole", "full"]
)
def test_a_layer_changes_by_what_the_formula_says(painter, tmp_path, make, naming):
    out, inside = layer(painter, LINEAR).weight.shape
    parts, whole = make(out, inside)
    base = naming + (LINEAR.replace(".", "_") if naming == "lora_unet_" else LINEAR)
    save_file({f"{base}.{name}": tensor.contiguous() for name, tensor in parts.items()}, tmp_path / "mine.safetensors")
    plain = pixels(painter.run(ASK, Recorder()))
    output = painter.run(replace(ASK, loras=(Lora("mine"),)), Recorder(adapters=tmp_path))
    assert torch.allclose(effect(painter, LINEAR), whole.float(), atol=1e-5)
    assert pixels(output) != plain
    assert pixels(painter.run(ASK, Recorder())) == plain


@pytest.mark.parametrize(("name", "kernel"), [(CONV, 9), (POINT, 1)])
@pytest.mark.parametrize("make", [loha, lokr])
def test_a_convolution_changes_too(painter, tmp_path, make, name, kernel):
    shape = layer(painter, name).weight.shape
    parts, whole = make(shape[0], shape[1], kernel)
    base = "lora_unet_" + name.replace(".", "_")
    save_file({f"{base}.{part}": tensor.contiguous() for part, tensor in parts.items()}, tmp_path / "mine.safetensors")
    painter.run(replace(ASK, loras=(Lora("mine"),)), Recorder(adapters=tmp_path))
    assert torch.allclose(effect(painter, name), whole.float().reshape(shape), atol=1e-5)
    painter.run(ASK, Recorder())


def test_a_kernel_that_lies_apart_is_put_in(painter, tmp_path):
    shape = layer(painter, CONV).weight.shape
    parts, whole = loha_with_kernel(shape[0], shape[1])
    base = "lora_unet_" + CONV.replace(".", "_")
    save_file({f"{base}.{part}": tensor.contiguous() for part, tensor in parts.items()}, tmp_path / "mine.safetensors")
    painter.run(replace(ASK, loras=(Lora("mine"),)), Recorder(adapters=tmp_path))
    assert torch.allclose(effect(painter, CONV), whole, atol=1e-5)
    painter.run(ASK, Recorder())


def test_plain_layers_beside_others_stay_as_they_are(painter, tmp_path):
    out, inside = layer(painter, LINEAR).weight.shape
    parts, whole = loha(out, inside)
    other = LINEAR.replace("to_q", "to_v")
    up, down = noise(out, 3), noise(3, inside)
    tensors = {f"lora_unet_{LINEAR.replace('.', '_')}.{name}": tensor for name, tensor in parts.items()}
    base = f"lora_unet_{other.replace('.', '_')}"
    tensors |= {f"{base}.lora_up.weight": up, f"{base}.lora_down.weight": down, f"{base}.alpha": torch.tensor(3.0)}
    save_file(tensors, tmp_path / "mixed.safetensors")
    painter.run(replace(ASK, loras=(Lora("mixed"),)), Recorder(adapters=tmp_path))
    assert torch.allclose(effect(painter, LINEAR), whole, atol=1e-5)
    assert torch.allclose(effect(painter, other), up @ down, atol=1e-5)
    painter.run(ASK, Recorder())


def test_layers_of_different_ranks_and_scales_each_keep_theirs(painter, tmp_path):
    out, inside = layer(painter, LINEAR).weight.shape
    tensors, expected = {}, {}
    for part, rank, alpha in (("to_q", 2, 2.0), ("to_k", 3, 1.0), ("to_v", 4, 8.0)):
        name = LINEAR.replace("to_q", part)
        up, down = noise(out, rank), noise(rank, inside)
        base = f"lora_unet_{name.replace('.', '_')}"
        tensors |= {
            f"{base}.lora_up.weight": up,
            f"{base}.lora_down.weight": down,
            f"{base}.alpha": torch.tensor(alpha),
        }
        expected[name] = up @ down * alpha / rank
    save_file(tensors, tmp_path / "uneven.safetensors")
    painter.run(replace(ASK, loras=(Lora("uneven"),)), Recorder(adapters=tmp_path))
    for name, whole in expected.items():
        assert torch.allclose(effect(painter, name), whole, atol=1e-5)
    painter.run(ASK, Recorder())


@pytest.mark.parametrize("odd", [{"hada_w1_a": noise(3, 2)}, {"lokr_w1": noise(3, 3), "lokr_w2": noise(5, 5)}])
def test_one_that_does_not_fit_was_made_for_another_kind(painter, tmp_path, odd):
    base = "lora_unet_" + LINEAR.replace(".", "_")
    save_file({f"{base}.{name}": tensor for name, tensor in odd.items()}, tmp_path / "odd.safetensors")
    plain = pixels(painter.run(ASK, Recorder()))
    with pytest.raises(StudioError) as caught:
        painter.run(replace(ASK, loras=(Lora("odd"),)), Recorder(adapters=tmp_path))
    assert caught.value.code == "lora_wrong"
    assert pixels(painter.run(ASK, Recorder())) == plain


@pytest.mark.parametrize(("name", "form"), [("oft_blocks", "OFT"), ("dora_scale", "DoRA"), ("on_input", "(IA)³")])
def test_forms_that_are_not_read_are_named(painter, tmp_path, name, form):
    make_lora(tmp_path, "mine", kind="stable_diffusion")
    tensors = load_file(tmp_path / "mine.safetensors") | {f"lora_unet_{LINEAR.replace('.', '_')}.{name}": noise(4, 4)}
    save_file(tensors, tmp_path / "mine.safetensors")
    with pytest.raises(StudioError) as caught:
        painter.run(replace(ASK, loras=(Lora("mine"),)), Recorder(adapters=tmp_path))
    assert (caught.value.code, caught.value.params["form"]) == ("lora_form", form)


@pytest.mark.parametrize("rank", [2, 5, 40])
def test_a_product_entry_by_entry_is_low_rank_as_long_as_that_is_shorter(rank):
    parts = {f"x.hada_w{n}_a": noise(24, rank) for n in (1, 2)} | {f"x.hada_w{n}_b": noise(rank, 30) for n in (1, 2)}
    found = lycoris.plain(parts, {})
    up, down = found["x.lora_B.weight"], found["x.lora_A.weight"]
    expected = (parts["x.hada_w1_a"] @ parts["x.hada_w1_b"]) * (parts["x.hada_w2_a"] @ parts["x.hada_w2_b"])
    assert down.shape[0] == min(rank**2, 24)
    assert torch.allclose(up @ down, expected, atol=1e-4)
