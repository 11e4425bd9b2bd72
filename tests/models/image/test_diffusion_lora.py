"""Low-rank adaptations: put on, weighed, taken off again."""

import json
from dataclasses import replace

import pytest
import tiny_pipelines
import torch
from safetensors.torch import load_file, save_file
from tiny import Recorder, load
from tiny_pipelines import pixels

from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import Cancelled, StudioError
from studio.request_parts import Lora
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=2, guidance_scale=4.0, seed=5)


def make_lora(folder, name, kind="icons", seed=0, text=False):
    """A file as diffusers writes it, with random weights."""
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
    from peft import LoraConfig, get_peft_model_state_dict

    torch.manual_seed(seed)
    pipe = getattr(tiny_pipelines, kind)()
    config = LoraConfig(r=2, lora_alpha=4, target_modules=["to_q", "to_v"], init_lora_weights=False)
    pipe.unet.add_adapter(config)
    parts = {"unet_lora_layers": get_peft_model_state_dict(pipe.unet)}
    if text:
        pipe.text_encoder.add_adapter(LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
        parts["text_encoder_lora_layers"] = get_peft_model_state_dict(pipe.text_encoder)
    writer = StableDiffusionXLPipeline if kind == "stable_diffusion_xl" else StableDiffusionPipeline
    writer.save_lora_weights(folder, weight_name=f"{name}.safetensors", **parts)


@pytest.fixture(scope="module")
def loras(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loras")
    make_lora(folder, "first")
    make_lora(folder, "second.v2", seed=1)
    make_lora(folder, "words", kind="stable_diffusion", text=True)
    make_lora(folder, "large", kind="stable_diffusion_xl")
    return folder


@pytest.fixture(scope="module")
def painter(folders):
    model = load(ENGINE, folders["icons"])
    yield model
    model.close()


def paint(model, folder, *loras, **changes) -> bytes:
    request = replace(ASK, loras=tuple(loras), **changes)
    return pixels(model.run(request, Recorder(adapters=folder)))[0]


def test_an_adaptation_changes_the_picture_and_leaves_no_trace(painter, loras):
    before, plain = painter.nbytes(), paint(painter, loras)
    first = paint(painter, loras, Lora("first"))
    assert first != plain
    assert painter.nbytes() > before
    assert paint(painter, loras) == plain
    assert painter.nbytes() == before
    assert paint(painter, loras, Lora("first")) == first


def test_a_weight_of_nothing_is_no_adaptation(painter, loras):
    assert paint(painter, loras, Lora("first", 0.0)) == paint(painter, loras)
    assert paint(painter, loras, Lora("first", 0.0), Lora("second.v2")) == paint(painter, loras, Lora("second.v2"))


def test_weights_count_and_do_not_depend_on_what_came_before(painter, loras):
    half = paint(painter, loras, Lora("first", 0.5))
    whole = paint(painter, loras, Lora("first", 1.0))
    assert half not in (whole, paint(painter, loras))
    assert paint(painter, loras, Lora("first", 0.5)) == half
    assert paint(painter, loras, Lora("first", 0.5), Lora("first", 0.5)) == whole


def test_several_go_together_and_those_that_are_not_named_come_off(painter, loras):
    first, second = paint(painter, loras, Lora("first")), paint(painter, loras, Lora("second.v2"))
    both = paint(painter, loras, Lora("first"), Lora("second.v2"))
    assert len({first, second, both}) == 3
    assert paint(painter, loras, Lora("second.v2")) == second
    assert paint(painter, loras, Lora("first")) == first
    assert paint(painter, loras, Lora("second.v2"), Lora("first")) == both


def test_painting_over_uses_them_too(painter, loras, tmp_path):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.linear_gradient("L").resize((32, 32)).save(file, "PNG")
    over = {"image": file.getvalue(), "strength": 1.0}
    assert paint(painter, loras, Lora("first"), **over) != paint(painter, loras, **over)


@pytest.mark.parametrize(("kind", "name"), [("stable_diffusion", "words"), ("stable_diffusion_xl", "large")])
def test_other_pipelines_take_theirs(folders, loras, kind, name):
    model = load(ENGINE, folders[kind])
    plain = paint(model, loras)
    assert paint(model, loras, Lora(name)) != plain
    assert paint(model, loras) == plain
    model.close()


def test_a_new_file_under_an_old_name_is_read_anew(painter, loras, tmp_path):
    make_lora(tmp_path, "mine", seed=2)
    one = paint(painter, tmp_path, Lora("mine"))
    make_lora(tmp_path, "mine", seed=3)
    assert paint(painter, tmp_path, Lora("mine")) != one


def test_a_file_in_a_folder_of_its_own_is_used_by_its_path(painter, loras, tmp_path):
    (tmp_path / "style.v1").mkdir()
    (tmp_path / "style.v1" / "mine.safetensors").write_bytes((loras / "first.safetensors").read_bytes())
    assert paint(painter, tmp_path, Lora("style.v1/mine")) == paint(painter, loras, Lora("first"))


@pytest.mark.parametrize("name", ["absent", "../first", "a/first", "", "..", "nul\0", "x" * 300])
def test_a_name_without_a_file_is_named(painter, loras, name):
    with pytest.raises(StudioError) as caught:
        paint(painter, loras / "sub" if "/" in name else loras, Lora(name))
    assert caught.value.code == "lora_missing"


def test_without_a_folder_there_are_none(painter):
    with pytest.raises(StudioError) as caught:
        paint(painter, None, Lora("first"))
    assert caught.value.code == "lora_missing"


def wrong_width(folder, name):
    tensors = load_file(folder / "first.safetensors")
    save_file({key: torch.zeros(5, 5) for key in tensors}, folder / f"{name}.safetensors")


def not_one(folder, name):
    save_file({"model.weight": torch.zeros(2, 2)}, folder / f"{name}.safetensors")


def other_kind(folder, name):
    make_lora(folder, name, kind="stable_diffusion_xl")


@pytest.mark.parametrize("make", [wrong_width, not_one, other_kind])
def test_one_for_another_kind_of_model_is_refused_and_nothing_stays_on(painter, tmp_path, make):
    make_lora(tmp_path, "first")
    plain, first = paint(painter, tmp_path), paint(painter, tmp_path, Lora("first"))
    make(tmp_path, "wrong")
    with pytest.raises(StudioError) as caught:
        paint(painter, tmp_path, Lora("first"), Lora("wrong"))
    assert (caught.value.code, caught.value.params["name"]) == ("lora_wrong", "wrong")
    assert paint(painter, tmp_path) == plain
    assert paint(painter, tmp_path, Lora("first")) == first


def test_a_model_that_takes_none_says_so(folders, loras):
    model = load(ENGINE, folders["sana_sprint"])
    if hasattr(model._family.pipe, "load_lora_weights"):
        with pytest.raises(StudioError, match="first"):
            paint(model, loras, Lora("first"))
    model.close()


def test_a_pickle_is_not_opened(painter, tmp_path):
    mark = tmp_path / "mark"
    evil = b"cbuiltins\nopen\n(V" + str(mark).encode() + b"\nVw\ntR."
    (tmp_path / "evil.safetensors").write_bytes(evil)
    (tmp_path / "other.bin").write_bytes(evil)
    for name, code in (("evil", "bad_file"), ("other", "lora_missing")):
        with pytest.raises(StudioError) as caught:
            paint(painter, tmp_path, Lora(name))
        assert caught.value.code == code
    assert not mark.exists()


@pytest.mark.parametrize("header", [b"[1, 2]", b"{" * 50, json.dumps({"a": 1}).encode()])
def test_a_damaged_header_is_a_damaged_file(painter, tmp_path, header):
    (tmp_path / "odd.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(StudioError) as caught:
        paint(painter, tmp_path, Lora("odd"))
    assert caught.value.code in ("bad_file", "lora_wrong")


def test_stop_with_an_adaptation_on_leaves_the_model_usable(painter, loras):
    plain = paint(painter, loras)
    with pytest.raises(Cancelled):
        painter.run(replace(ASK, loras=(Lora("first"),)), Recorder(stop_after=1, adapters=loras))
    assert paint(painter, loras) == plain
