"""Enlarging pictures: Swin2SR in tiles through the upscaler engine, and plain resampling where there is no model."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import Recorder, card, load

from studio.engines.image import tiles
from studio.engines.image.resample import ResampleEngine
from studio.engines.image.upscaler import UpscalerEngine
from studio.errors import Cancelled, StudioError
from studio.requests import UpscaleRequest

ENGINE = UpscalerEngine()


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random models of both kinds that the catalogue has."""
    from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution

    made = {}
    for name, scale, end in (("double", 2, "pixelshuffle"), ("four", 4, "nearest+conv")):
        torch.manual_seed(0)
        small: Any = {"embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 8, "image_size": 16}
        config: Any = Swin2SRConfig(**small, upscale=scale, upsampler=end, initializer_range=0.1)
        model: Any = Swin2SRForImageSuperResolution(config).eval()
        last = model.upsample.final_convolution
        with torch.no_grad():  # bring what it makes into the range of pixels, so that nothing hides behind a cut
            last.bias.zero_()
            made_of_noise = model(pixel_values=torch.rand(1, 3, 32, 32)).reconstruction
            last.weight.mul_(0.15 / (made_of_noise - model.swin2sr.mean).std())
        made[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(made[name])
    return made


def request(size: tuple[int, int], scale: int = 2) -> UpscaleRequest:
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 4 + 1, size[0] // 4 + 1, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(file, "PNG")
    return UpscaleRequest(image=file.getvalue(), scale=scale)


def pixels(model, ask: UpscaleRequest) -> np.ndarray:
    (picture,) = model.run(ask, Recorder()).images
    return np.asarray(picture).astype(int)


@pytest.mark.parametrize(("kind", "scale"), [("double", 2), ("four", 4), ("four", 3), ("four", 2)])
def test_the_picture_is_as_many_times_as_large_as_asked(folders, kind, scale):
    output = load(ENGINE, folders[kind]).run(request((37, 21), scale), Recorder())
    assert [picture.size for picture in output.images] == [(37 * scale, 21 * scale)]
    assert output.images[0].mode == "RGB"
    assert output.seeds == (0,)


@pytest.mark.parametrize("size", [(150, 90), (65, 64), (64, 129)])
def test_tiles_show_no_seam(folders, size):
    tiled = load(ENGINE, folders["double"], options={"tile": 64})
    whole = load(ENGINE, folders["double"], options={"tile": 512})
    a, b = pixels(tiled, request(size)), pixels(whole, request(size))
    assert b.std() > 10
    assert ((b > 0) & (b < 255)).mean() > 0.9
    assert np.abs(a - b).max() <= 4  # an unaligned grid of tiles differs by 80, a hard edge by 100
    assert np.abs(a - b).mean() < 0.05


def test_tiles_meet_in_windows_and_their_shares_add_up():
    for length in (1, 63, 64, 65, 96, 97, 500):
        found = tiles.spans(length, 64, 8)
        assert found[0][0] == 0
        assert found[-1][1] == length
        assert all(start % 8 == 0 and end - start <= 64 for start, end in found)
        total = np.zeros(length * 3)
        for i, (start, end) in enumerate(found):
            total[start * 3 : end * 3] += tiles.fade(found, i, 3)
        assert np.allclose(total, 1)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 90)])
def test_the_smallest_pictures_work(folders, size):
    output = load(ENGINE, folders["double"], options={"tile": 64}).run(request(size), Recorder())
    assert output.images[0].size == (size[0] * 2, size[1] * 2)


def test_each_tile_is_a_step(folders):
    recorder = Recorder()
    load(ENGINE, folders["double"], options={"tile": 64}).run(request((100, 70)), recorder)
    assert recorder.steps == [(done, 6) for done in range(1, 7)]


def test_a_request_may_ask_for_smaller_tiles_and_then_needs_less(folders):
    recorder, ask = Recorder(), replace(request((100, 70)), tile=64)
    whole, tiled = load(ENGINE, folders["double"]), load(ENGINE, folders["double"], options={"tile": 64})
    a = np.asarray(whole.run(ask, recorder).images[0])
    assert recorder.steps == [(done, 6) for done in range(1, 7)]
    assert np.array_equal(a, pixels(tiled, request((100, 70))))
    model = card("upscaler")
    assert ENGINE.work(model, ask) < 0.7 * ENGINE.work(model, replace(ask, tile=0))


def test_stop_reaches_into_a_tile_and_the_model_works_after(folders, monkeypatch):
    model = load(ENGINE, folders["double"])
    recorder, asked = Recorder(), []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:  # before the tile, before its first layer, before its second
            raise Cancelled

    monkeypatch.setattr(recorder, "check", check)
    with pytest.raises(Cancelled):
        model.run(request((40, 40)), recorder)
    assert recorder.steps == []
    assert model.run(request((40, 40)), Recorder()).images
    assert len(asked) == 3


def test_the_same_picture_comes_out_the_same(folders):
    model = load(ENGINE, folders["four"], options={"tile": 64})
    assert (pixels(model, request((90, 40), 4)) == pixels(model, request((90, 40), 4))).all()


def test_memory_is_counted_and_grows_with_rows_and_not_with_tiles(folders):
    model = load(ENGINE, folders["double"])
    assert ENGINE.weights(card("upscaler"), folders["double"]) == pytest.approx(model.nbytes(), rel=0.2)
    limits = card("upscaler", limits={"max_scale": 2})
    small, high = ENGINE.work(limits, request((400, 400))), ENGINE.work(limits, request((400, 800)))
    assert high - small == 400 * 400 * 4 * 4  # the result alone
    model.close()


def test_damaged_and_foreign_files_are_one_clear_error(folders, tmp_path):
    def broken(name: str, change) -> str:
        folder = tmp_path / name
        folder.mkdir()
        for file in folders["double"].iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        change(folder)
        with pytest.raises(StudioError) as caught:
            load(ENGINE, folder)
        return caught.value.code

    weights = "model.safetensors"
    assert broken("cut", lambda f: (f / weights).write_bytes((f / weights).read_bytes()[:500])) == "broken_model"
    assert broken("gone", lambda f: (f / weights).unlink()) == "missing_files"
    assert broken("pickle", lambda f: (f / weights).rename(f / "pytorch_model.bin")) == "missing_files"
    code = {"auto_map": {"AutoModel": "evil.py"}}
    assert broken("code", lambda f: (f / "config.json").write_text(json.dumps(code))) == "custom_code"


# Without a model


def test_resampling_needs_no_files_and_equals_that_of_the_whole_picture(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.engines.image.resample._STRIP", 32)
    model = load(ResampleEngine(), tmp_path)
    ask, recorder = request((50, 77), 3), Recorder()
    (picture,) = model.run(ask, recorder).images
    whole = Image.open(io.BytesIO(ask.image)).resize((150, 231), Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(whole)).max() <= 1
    assert recorder.steps[-1][0] == recorder.steps[-1][1] == 8
    with pytest.raises(Cancelled):
        model.run(ask, Recorder(stop_after=2))
