"""Upscalers of one file: networks of spandrel's own classes, run by hand and through the engine."""

from __future__ import annotations

import io
import pickle
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny import Recorder, card

from studio.catalog.card import Source
from studio.devices.device import Device
from studio.engines.image import spandrel_registry, upscale_network
from studio.engines.image.upscale_network import UpscaleNetworkEngine
from studio.errors import Cancelled, StudioError
from studio.requests import UpscaleRequest
from studio.store.disk import networks
from studio.store.disk.look import of_weights
from studio.store.disk.weights import read_weights

ENGINE = UpscaleNetworkEngine()
SMALL: dict[str, Any] = {"img_size": 16, "embed_dim": 12, "num_heads": [2]}
SWIN: dict[str, Any] = {**SMALL, "depths": [2], "window_size": 8}
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "esrgan x4": ("ESRGAN", "ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 4}),
    "esrgan x2": ("ESRGAN", "ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 2}),
    "esrgan x1": ("ESRGAN", "ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 1}),
    "esrgan folded": (
        "ESRGAN", "ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 4, "in_nc": 12, "shuffle_factor": 2},
    ),
    "compact x4": ("Compact", "Compact", {"num_feat": 8, "num_conv": 2, "upscale": 4}),
    "compact x3": ("Compact", "Compact", {"num_feat": 8, "num_conv": 2, "upscale": 3}),
    "swinir x2": ("SwinIR", "SwinIR", {**SWIN, "upscale": 2, "upsampler": "pixelshuffle"}),
    "swinir x4": ("SwinIR", "SwinIR", {**SWIN, "upscale": 4, "upsampler": "nearest+conv"}),
    "swinir direct": ("SwinIR", "SwinIR", {**SWIN, "upscale": 2, "upsampler": "pixelshuffledirect"}),
    "swin2sr": ("Swin2SR", "Swin2SR", {**SWIN, "upscale": 2, "upsampler": "pixelshuffle"}),
    "omnisr": ("OmniSR", "OmniSR", {"num_feat": 16, "res_num": 1, "block_num": 1, "up_scale": 2, "window_size": 8}),
    "hat": ("HAT", "HAT", {**SWIN, "upscale": 4, "squeeze_factor": 6}),
    "dat": ("DAT", "DAT", {**SMALL, "split_size": [4, 4], "depth": [2], "upscale": 2}),
    "rgt": ("RGT", "RGT", {**SMALL, "split_size": [4, 4], "depth": [2], "upscale": 4}),
    "drct": ("DRCT", "DRCT", {**SWIN, "depths": (6,), "upscale": 4, "gc": 4, "upsampler": "pixelshuffle"}),
    "span": ("SPAN", "SPAN", {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2}),
    "plksr": ("PLKSR", "PLKSR", {"dim": 16, "n_blocks": 1, "upscaling_factor": 2}),
    "realplksr": ("PLKSR", "RealPLKSR", {"dim": 16, "n_blocks": 1, "upscaling_factor": 4}),
    "cugan x3": ("RealCUGAN", "UpCunet3x", {}),
    "cugan x4": ("RealCUGAN", "UpCunet4x", {}),
    "safmn": ("SAFMN", "SAFMN", {"dim": 8, "n_blocks": 1, "upscaling_factor": 4}),
}  # fmt: skip


def network(name: str) -> Any:
    """A random network of spandrel's class, from its own module."""
    from importlib import import_module

    spandrel_registry.registry()
    module, kind, settings = KINDS[name]
    torch.manual_seed(0)
    made = getattr(import_module(f"spandrel.architectures.{module}"), kind)(**settings).eval()
    if name.startswith("esrgan"):
        with torch.no_grad():  # what it makes comes into the range of pixels, so that nothing hides behind a cut
            found = made(torch.rand(1, 3, 32, 32))
            last = [one for one in made.modules() if isinstance(one, torch.nn.Conv2d)][-1]
            last.weight.mul_(0.15 / found.std())
            assert last.bias is not None
            last.bias.mul_(0).add_(0.5)
    return made


@pytest.fixture(scope="session")
def made() -> dict[str, Any]:
    """Networks, built once."""
    return {name: network(name) for name in ("esrgan x4", "compact x4", "compact x3", "omnisr", "swinir x2")}


@pytest.fixture
def file(tmp_path: Path, made: dict[str, Any]) -> Any:
    def write(name: str) -> Path:
        model = made.get(name) or network(name)
        path = tmp_path / f"{name.replace(' ', '-')}.safetensors"
        save_file({key: value.clone().contiguous() for key, value in model.state_dict().items()}, path)
        return path

    return write


def load(file: Path, **options: Any) -> Any:
    model = card("upscale_network", tasks=("upscale",), source=Source("local", path=str(file)), options=options)
    return ENGINE.load(model, file, Device("cpu"), lambda _: None)


def refused(file: Path) -> StudioError:
    with pytest.raises(StudioError) as caught:
        load(file)
    return caught.value


def request(size: tuple[int, int], scale: int = 4, mode: str = "RGB") -> UpscaleRequest:
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 4 + 1, size[0] // 4 + 1, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(size))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return UpscaleRequest(image=out.getvalue(), scale=scale)


def pixels(model: Any, ask: UpscaleRequest) -> np.ndarray:
    (picture,) = model.run(ask, Recorder()).images
    return np.asarray(picture).astype(int)


def by_hand(model: Any, ask: UpscaleRequest) -> np.ndarray:
    """The whole picture through the network, without spandrel's descriptor and without ours."""
    picture = np.asarray(Image.open(io.BytesIO(ask.image)))
    with torch.inference_mode():
        tensor = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].float() / 255
        found = model(tensor)[0].clamp(0, 1).numpy().transpose(1, 2, 0)
    return np.rint(found * 255).astype(int)


@pytest.mark.parametrize(
    ("name", "scale"), [("esrgan x4", 4), ("compact x4", 4), ("compact x3", 3), ("omnisr", 2), ("swinir x2", 2)]
)
def test_the_engine_makes_what_the_network_makes(made, file, name, scale):
    ask = request((48, 32), scale)
    ours, theirs = pixels(load(file(name)), ask), by_hand(made[name], ask)
    assert ours.shape == (32 * scale, 48 * scale, 3)
    assert ours.std() > 3
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.parametrize(("name", "most"), [("compact x4", 1), ("esrgan x4", 3)])
def test_tiles_make_what_the_whole_picture_makes(file, name, most):
    tiled, whole = load(file(name), tile=64), load(file(name), tile=512)
    for size in ((150, 90), (65, 64)):
        a, b = pixels(tiled, request(size)), pixels(whole, request(size))
        assert np.abs(a - b).max() <= most
        assert np.abs(a - b).mean() < 0.02


def test_a_window_of_attention_lies_where_it_lies_in_the_whole_picture(file):
    tiled, whole = load(file("swinir x2"), tile=64), load(file("swinir x2"), tile=512)
    a, b = pixels(tiled, request((140, 70), 2)), pixels(whole, request((140, 70), 2))
    assert np.abs(a - b).max() <= 2


def test_the_newer_names_of_the_same_network_make_the_same(made, tmp_path, file):
    """The names that Real-ESRGAN's own program writes."""
    names = {
        r"^model\.0\.": "conv_first.", r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.": r"body.\1.rdb\2.conv\3.",
        r"^model\.1\.sub\.1\.": "conv_body.", r"^model\.3\.": "conv_up1.", r"^model\.6\.": "conv_up2.",
        r"^model\.8\.": "conv_hr.", r"^model\.10\.": "conv_last.",
    }  # fmt: skip
    renamed = {}
    for key, value in made["esrgan x4"].state_dict().items():
        (new,) = {re.sub(old, to, key) for old, to in names.items() if re.search(old, key)}
        renamed[new] = value.clone()
    newer = tmp_path / "newer.safetensors"
    save_file(renamed, newer)
    assert np.array_equal(pixels(load(newer), request((30, 20))), pixels(load(file("esrgan x4")), request((30, 20))))


def test_a_smaller_scale_is_the_networks_own_made_smaller(file):
    model = load(file("compact x4"))
    (whole,) = model.run(request((40, 24)), Recorder()).images
    half = whole.resize((80, 48), Image.Resampling.LANCZOS)
    assert np.array_equal(pixels(model, request((40, 24), 2)), np.asarray(half).astype(int))


def test_a_larger_scale_than_the_networks_is_refused(file):
    with pytest.raises(StudioError) as caught:
        load(file("compact x3")).run(request((8, 8), 4), Recorder())
    assert (caught.value.code, caught.value.params["most"]) == ("network_scale", 3)


@pytest.mark.parametrize("name", ["esrgan x4", "swinir x2", "omnisr"])
@pytest.mark.parametrize("size", [(1, 1), (3, 40)])
def test_the_smallest_pictures_work(file, name, size):
    scale = 4 if name == "esrgan x4" else 2
    assert pixels(load(file(name)), request(size, scale)).shape == (size[1] * scale, size[0] * scale, 3)


def test_what_is_transparent_stays_so(file):
    (picture,) = load(file("compact x4")).run(request((20, 12), mode="RGBA"), Recorder()).images
    alpha = Image.open(io.BytesIO(request((20, 12), mode="RGBA").image)).getchannel("A")
    assert picture.mode == "RGBA"
    assert picture.getchannel("A").tobytes() == alpha.resize((80, 48), Image.Resampling.LANCZOS).tobytes()


def test_each_tile_is_a_step_and_stop_comes_between_and_inside(file, monkeypatch):
    model, recorder = load(file("compact x4"), tile=64), Recorder()
    model.run(request((100, 70)), recorder)
    assert recorder.steps == [(done, 6) for done in range(1, 7)]
    stopped = Recorder(stop_after=2)
    with pytest.raises(Cancelled):
        model.run(request((100, 70)), stopped)
    assert len(stopped.steps) == 2
    asked = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 4:
            raise Cancelled

    inside = Recorder()
    monkeypatch.setattr(inside, "check", check)
    with pytest.raises(Cancelled):
        model.run(request((20, 20)), inside)
    assert inside.steps == []
    assert model.run(request((20, 20)), Recorder()).images


def test_memory_is_counted(file):
    path = file("esrgan x4")
    model = load(path)
    known = card("upscale_network", source=Source("local", path=str(path)), limits={"max_scale": 4})
    assert ENGINE.weights(known, path) == pytest.approx(model.nbytes(), rel=0.01)
    ask = request((200, 200))
    assert ENGINE.work(known, replace(ask, tile=64)) < 0.3 * ENGINE.work(known, ask)
    model.close()


def test_floats_are_those_that_the_architecture_bears(file):
    def placed(name: str, **options: Any) -> torch.dtype:
        path = file(name)
        known = card("upscale_network", source=Source("local", path=str(path)), options=options)
        built = upscale_network._built(known, path)
        upscale_network._cast(known, path, built, "cuda")
        return next(built.model.parameters()).dtype

    assert placed("compact x4") == torch.float16
    assert placed("swinir x2") == torch.float32  # it does not bear float16
    assert placed("swinir x2", dtype="bfloat16") == torch.bfloat16


def test_an_architecture_that_bears_a_float_in_name_only_runs_in_float32(file):
    path, ask = file("swinir x2"), request((30, 30), 2)
    assert np.array_equal(pixels(load(path, dtype="bfloat16"), ask), pixels(load(path), ask))
    half = load(file("compact x4"), dtype="bfloat16")
    assert half._dtype() == "torch.bfloat16"
    assert 0 < np.abs(pixels(half, request((30, 30))) - pixels(load(file("compact x4")), request((30, 30)))).max() < 9


def test_what_can_run_code_is_not_opened(tmp_path):
    class Evil:
        def __reduce__(self) -> Any:
            return (tmp_path.joinpath("opened").write_text, ("opened",))

    for name in ("4x.pth", "4x.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps({"params": Evil()}))
        found = refused(tmp_path / name)
        assert found.code == "pickled_upscaler"
        assert "Convert" in found.next()
    assert not (tmp_path / "opened").exists()


def test_what_is_no_whole_upscaler_for_colours_is_one_clear_error(tmp_path, file):
    whole = file("compact x4")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:-100])
    assert refused(cut).code == "not_an_upscaler"
    save_file({"a.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    assert refused(tmp_path / "other.safetensors").code == "network_not_run"
    spandrel_registry.registry()
    from spandrel.architectures.Compact import Compact

    grey = Compact(num_in_ch=1, num_out_ch=1, num_feat=8, num_conv=2, upscale=2)
    save_file(grey.state_dict(), tmp_path / "grey.safetensors")
    assert refused(tmp_path / "grey.safetensors").code == "network_colours"
    assert of_weights(tmp_path / "grey.safetensors", read_weights(tmp_path / "grey.safetensors")).reason == "network"
    from safetensors.torch import load_file

    less = load_file(whole)
    del less["body.2.weight"]
    save_file(less, tmp_path / "less.safetensors")
    assert refused(tmp_path / "less.safetensors").code == "broken_model"


@pytest.mark.parametrize("name", KINDS)
def test_a_header_tells_what_spandrel_tells(file, name):
    """Architecture, scale and channels, without torch and from the shapes alone."""
    path = file(name)
    found = read_weights(path)
    theirs = upscale_network._built(card("upscale_network"), path)
    assert (found.kind, found.family, found.variant) == ("upscaler", theirs.architecture.id, f"×{theirs.scale}")
    one = of_weights(path, found)
    assert (one.tasks, one.engine, one.reason) == (("upscale",), "upscale_network", "")


def test_a_header_of_nonsense_is_no_upscaler_and_ends():
    assert networks.upscaler({}) is None
    broken = {"body.0.weight": (), "body.1.weight": (8,), "body.x.bias": (1,)}
    found = networks.upscaler(broken)
    assert found is not None
    assert not found.runs


def test_spandrel_is_there_without_what_enlarges_nothing():
    assert len(spandrel_registry.registry()) == len(spandrel_registry.ARCHITECTURES)
    assert not [name for name in sys.modules if name.startswith(("spandrel.architectures.LaMa", "torchvision"))]
    assert "spandrel.__helpers.main_registry" not in sys.modules
