"""AUTOMATIC1111's addresses, asked by a client library of its own and by bodies of its clients."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from serving import Place, key, png, served, until
from test_api_a1111_words import OPEN_WEBUI, PHOTOSHOP, SILLY_TAVERN
from webuiapi import ControlNetUnit, WebUIApi

from studio.api.sdapi.bodies import Enlarging, Interrogation, Painting, Repainting
from studio.api.sdapi.painting import within
from studio.recipes import recipe
from studio.requests import ImageRequest

SMALL: dict[str, Any] = {"width": 64, "height": 64, "steps": 2}


@pytest.fixture(scope="module")
def library(place: Place) -> WebUIApi:
    return WebUIApi(baseurl=f"{place.url}/sdapi/v1")


def post(place: Place, name: str, body: Any, **more: Any) -> httpx.Response:
    return place.http.post(f"/sdapi/v1/{name}", json=body, **more)


def sent(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def slowed(place: Place, seconds: float) -> str:
    """A painter that takes so long for each step."""
    name = place.slow("demo-image", seconds)
    place.studio.models.unload()  # one that is loaded has the pace of before
    return name


# Painting


def test_pictures_come_as_they_lie_in_the_library_with_both_texts_in_them(place: Place, library: WebUIApi) -> None:
    found = library.txt2img(prompt="a lake", negative_prompt="people", seed=5, batch_size=2, **SMALL)
    assert [one.info["parameters"] for one in found.images] == found.info["infotexts"]
    assert "Negative prompt: people" in found.image.info["parameters"]
    assert (found.info["all_seeds"], found.info["steps"], found.info["width"]) == ([5, 6], 2, 64)
    assert found.parameters["prompt"] == "a lake"
    for text in found.json["images"]:
        data = base64.b64decode(text)
        made = recipe.read_recipe(data)
        assert made is not None
        assert made["parameters"]["prompt"] == "a lake"
        assert data in [file.read_bytes() for file in (place.studio.home.outputs / "image").rglob("*.png")]


def test_a_second_painting_makes_it_larger(library: WebUIApi) -> None:
    found = library.txt2img(prompt="x", enable_hr=True, hr_scale=2, denoising_strength=0.4, **SMALL)
    assert found.image.size == (128, 128)
    assert found.info["denoising_strength"] == 0.4
    assert "Hires upscale: 2" in found.info["infotexts"][0]


@pytest.mark.parametrize("body", [SILLY_TAVERN, OPEN_WEBUI], ids=["SillyTavern", "open-webui"])
def test_bodies_of_clients_are_painted_and_nothing_of_them_is_ignored(place: Place, body: dict[str, Any]) -> None:
    found = post(place, "txt2img", {**body, **SMALL})
    assert found.status_code == 200, found.text[:500]
    assert "x-atelier-ignored" not in found.headers
    assert len(found.json()["images"]) == body.get("batch_size", 1)
    assert isinstance(found.json()["info"], str)


def test_a_body_of_photoshop_is_painted_where_its_mask_says(place: Place, asked: list[Any]) -> None:
    mask = Image.new("L", (48, 48))
    mask.paste(255, (8, 8, 32, 32))
    out = io.BytesIO()
    mask.save(out, "PNG")
    body = {**PHOTOSHOP, **SMALL, "init_images": ["data:image/png;base64," + sent(png(size=(96, 96)))],
            "mask": sent(out.getvalue())}  # fmt: skip
    found = post(place, "img2img", body)
    assert found.status_code == 200, found.text[:500]
    assert picture(found.json()["images"][0]).size == (64, 64)
    assert Image.open(io.BytesIO(asked[-1].mask)).size == (96, 96)
    body |= {"inpainting_mask_invert": 1}
    assert post(place, "img2img", body).status_code == 200
    before, after = (Image.open(io.BytesIO(one.mask)).convert("L").getpixel((1, 1)) for one in asked[-2:])
    assert (before, after) == (0, 255)


def test_a_picture_of_another_shape_is_pulled_cropped_or_followed(place: Place, asked: list[Any]) -> None:
    wide = sent(png(size=(128, 64)))
    for mode, size in ((0, (64, 64)), (1, (128, 64)), (None, (64, 64))):
        found = post(place, "img2img", {"prompt": "x", "init_images": [wide], **SMALL, "resize_mode": mode})
        assert found.status_code == 200, found.text[:500]
        assert Image.open(io.BytesIO(asked[-1].image)).size == size
    del asked[:]
    found = post(place, "img2img", {"prompt": "x", "init_images": [wide, wide], "steps": 2})
    assert len(found.json()["images"]) == len(asked) == 2
    assert 1.9 < asked[0].width / asked[0].height < 2.1


def test_numbers_that_a_model_cannot_do_are_moved_and_named(place: Place) -> None:
    found = post(place, "txt2img", {"prompt": "x", "width": 60, "height": 67, "steps": 100_000, "cfg_scale": 7})
    info = json.loads(found.json()["info"])
    assert (info["width"], info["height"]) == (64, 64)
    assert found.headers["x-atelier-ignored"] == "steps, width, height"
    card = place.studio.catalog.get("demo-image")
    moved = within(ImageRequest(prompt="x", width=10**9, height=8, hires_scale=2.0), card, public=False)
    assert moved[0]["height"] >= 64
    assert moved[1] == ["width", "height"]


def test_pictures_are_not_sent_or_not_kept_where_that_is_asked(place: Place) -> None:
    def kept() -> int:
        return len(list((place.studio.home.outputs / "image").rglob("*.png")))

    before = kept()
    assert post(place, "txt2img", {"prompt": "x", **SMALL, "send_images": False}).json()["images"] == []
    assert kept() == before + 1
    assert len(post(place, "txt2img", {"prompt": "x", **SMALL, "do_not_save_samples": True}).json()["images"]) == 1
    assert kept() == before + 1


def test_a_model_is_chosen_by_any_of_its_names_and_stays_chosen(place: Place, library: WebUIApi) -> None:
    other = slowed(place, 0)
    found = {one["model_name"]: one["title"] for one in library.get_sd_models()}
    assert {"demo-image", other} <= set(found)
    assert len(set(found.values())) == len(found)
    library.set_options({"sd_model_checkpoint": found[other], "CLIP_stop_at_last_layers": 2})
    try:
        assert library.get_options()["sd_model_checkpoint"] == found[other]
        made = library.txt2img(prompt="x", **SMALL)
        assert (made.info["sd_model_name"], made.info["clip_skip"]) == (other, 2)
        made = library.txt2img(prompt="x", override_settings={"sd_model_checkpoint": "demo-image [abcdef12]"}, **SMALL)
        assert made.info["sd_model_name"] == "demo-image"
    finally:
        library.set_options({"sd_model_checkpoint": "demo-image", "CLIP_stop_at_last_layers": 1})


def test_a_controlnet_is_listed_and_holds_the_painting(place: Place, library: WebUIApi, asked: list[Any]) -> None:
    (place.studio.home.controlnets / "edges.safetensors").write_bytes(b"whatever: the stand-in takes it")
    assert place.http.get("/controlnet/version").json() == {"version": 2}
    assert "edges" in place.http.get("/controlnet/model_list").json()["model_list"]
    assert "canny" in place.http.get("/controlnet/module_list").json()["module_list"]
    assert "edges" in place.http.get("/controlnet/control_types").json()["control_types"]["All"]["model_list"]
    unit = ControlNetUnit(Image.new("RGB", (64, 64), "white"), module="canny", model="edges", weight=0.7)
    own: dict[str, Any] = {}  # the library would keep the unit for all later calls in its own default
    found = library.txt2img(prompt="x", controlnet_units=[unit], alwayson_scripts=own, **SMALL)
    (control,) = asked[-1].controls
    assert (control.model, control.preprocessor, control.weight) == ("edges", "canny", 0.7)
    assert Image.open(io.BytesIO(control.image)).size == (64, 64)
    assert "ControlNet 0" in found.info["infotexts"][0]


# Larger, read, put into words


def test_a_picture_is_enlarged(library: WebUIApi, place: Place) -> None:
    source = Image.new("RGB", (64, 48), "red")
    assert library.extra_single_image(source, upscaling_resize=2, upscaler_1="Lanczos").image.size == (128, 96)
    found = post(place, "extra-single-image", {"image": sent(png()), "upscaling_resize": 2.5, "upscaler_1": "None"})
    assert picture(found.json()["image"]).size == (192, 192)
    assert found.headers["x-atelier-ignored"] == "upscaling_resize"
    by_size = {"resize_mode": 1, "upscaling_resize_w": 256, "upscaling_resize_h": 100, "image": sent(png())}
    assert picture(post(place, "extra-single-image", by_size).json()["image"]).size == (256, 256)
    assert len(library.extra_batch_images([source, source], upscaling_resize=2).images) == 2


def test_how_a_picture_was_made_is_read_whoever_made_it(place: Place, library: WebUIApi) -> None:
    made = library.txt2img(prompt="a lake", seed=5, **SMALL)
    found = post(place, "png-info", {"image": made.json["images"][0]}).json()
    assert found["info"] == made.info["infotexts"][0]
    assert (found["parameters"]["Prompt"], found["parameters"]["Seed"]) == ("a lake", "5")
    assert found["items"]["parameters"] == found["info"]
    theirs = Path(__file__).parents[2] / "data" / "pictures"
    for file in sorted(theirs.rglob("*.png"))[:3]:
        assert post(place, "png-info", {"image": sent(file.read_bytes())}).status_code == 200
    assert post(place, "png-info", {"image": sent(png())}).json() == {"info": "", "items": {}, "parameters": {}}


def test_a_picture_is_put_into_words(library: WebUIApi, place: Place) -> None:
    assert "red" in library.interrogate(Image.new("RGB", (64, 64), "red")).info
    tags = post(place, "interrogate", {"image": sent(png()), "model": "deepdanbooru"}).json()["caption"]
    assert ", " in tags
    assert post(place, "interrogate", {"image": sent(png()), "model": "demo-caption"}).status_code == 200


# Steering


def test_progress_tells_how_far_it_is_and_interrupt_ends_it(place: Place) -> None:
    slow = slowed(place, 0.02)
    place.http.get("/sdapi/v1/progress")  # who looks is shown something from then on
    body = {"prompt": "x", "width": 64, "height": 64, "steps": 150, "override_settings": {"sd_model_checkpoint": slow}}
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(post(place, "txt2img", body)))
    thread.start()
    seen: list[dict[str, Any]] = []

    def shown() -> bool:
        seen.append(place.http.get("/sdapi/v1/progress").json())
        return seen[-1]["current_image"] is not None and seen[-1]["state"]["sampling_step"] > 1

    assert until(shown)
    assert picture(seen[-1]["current_image"]).format == "PNG"
    assert 0 < seen[-1]["progress"] < 1
    assert (seen[-1]["state"]["job_count"], seen[-1]["state"]["sampling_steps"]) == (1, 150)
    shares = [one["progress"] for one in seen]
    assert shares == sorted(shares)
    without = place.http.get("/sdapi/v1/progress", params={"skip_current_image": True}).json()
    assert without["current_image"] is None
    assert place.http.post("/sdapi/v1/interrupt").json() == {}
    thread.join(10)
    assert answers[0].status_code == 503
    assert answers[0].json()["error"] == "api_stopped"
    assert place.http.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0


def test_skip_goes_on_with_the_next(place: Place) -> None:
    slow = slowed(place, 0.05)
    body = {"prompt": "x", "width": 64, "height": 64, "steps": 20, "batch_size": 2, "styles": ["clay"],
            "override_settings": {"sd_model_checkpoint": slow}}  # fmt: skip
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(post(place, "txt2img", body)))
    thread.start()
    assert until(lambda: place.http.get("/sdapi/v1/progress").json()["state"]["sampling_step"] > 0)
    assert place.http.post("/sdapi/v1/skip").json() is None
    thread.join(15)
    assert answers[0].status_code == 200


def test_who_goes_away_stops_the_job(place: Place) -> None:
    slow = slowed(place, 0.05)
    body = {"prompt": "x", "steps": 150, "width": 64, "height": 64, "override_settings": {"sd_model_checkpoint": slow}}
    with pytest.raises(httpx.ReadTimeout):
        post(place, "txt2img", body, timeout=0.5)
    assert until(lambda: not place.running(), 3)
    assert place.studio.jobs()[-1].kind == "cancelled"


def test_memory_is_told_and_freed(place: Place, library: WebUIApi) -> None:
    library.txt2img(prompt="x", **SMALL)
    ram = library.get_memory()["ram"]
    assert ram["free"] + ram["used"] == ram["total"] > 0
    assert place.http.post("/sdapi/v1/unload-checkpoint").json() == {}

    def loaded() -> bool:
        return any("demo-image" in str(one.key) for device in place.studio.status().devices for one in device.models)

    assert until(lambda: not loaded())


@pytest.mark.parametrize(
    "name",
    ["samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-vae", "loras", "embeddings", "scripts",
     "script-info", "prompt-styles", "hypernetworks", "face-restorers", "realesrgan-models", "cmd-flags", "sd-models"],
)  # fmt: skip
def test_everything_that_clients_list_is_there(place: Place, name: str) -> None:
    found = place.http.get(f"/sdapi/v1/{name}")
    assert found.status_code == 200, found.text[:500]
    assert isinstance(found.json(), list | dict)


def test_lists_have_the_fields_that_clients_read(library: WebUIApi) -> None:
    assert {"name", "aliases", "options"} == set(library.get_samplers()[0])
    assert {"title", "model_name", "hash", "filename"} <= set(library.get_sd_models()[0])
    assert {"name", "model_name", "scale"} <= set(library.get_upscalers()[0])
    assert {"loaded", "skipped"} == set(library.get_embeddings())
    assert library.refresh_checkpoints() is None
    assert library.get_cmd_flags()


# Keys


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served(tmp_path_factory.mktemp("lan"), profile="lan", password="correct horse") as found:
        yield found


def test_a_key_counts_as_bearer_and_as_the_password_of_basic(locked: Place) -> None:
    told = key(locked, "tavern")
    assert locked.http.get("/sdapi/v1/options").status_code == 401
    assert locked.http.get("/sdapi/v1/options").json()["error"] == "key_missing"
    assert locked.http.get("/sdapi/v1/options", headers={"Authorization": f"Bearer {told}"}).status_code == 200
    library = WebUIApi(baseurl=f"{locked.url}/sdapi/v1", username="anybody", password=told)
    assert library.txt2img(prompt="x", **SMALL).image.size == (64, 64)


def test_each_key_has_its_own_options_jobs_and_progress(locked: Place) -> None:
    one, two = (httpx.Client(base_url=locked.url, headers={"Authorization": f"Bearer {key(locked, name)}"}, timeout=30)
                for name in ("one", "two"))  # fmt: skip
    one.post("/sdapi/v1/options", json={"CLIP_stop_at_last_layers": 4})
    assert [who.get("/sdapi/v1/options").json()["CLIP_stop_at_last_layers"] for who in (one, two)] == [4, 1]
    slow = slowed(locked, 0.05)
    body = {"prompt": "x", "steps": 100, "width": 64, "height": 64, "override_settings": {"sd_model_checkpoint": slow}}
    thread = threading.Thread(target=lambda: one.post("/sdapi/v1/txt2img", json=body))
    thread.start()
    assert until(lambda: one.get("/sdapi/v1/progress").json()["state"]["job_count"] == 1)
    assert two.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0
    two.post("/sdapi/v1/interrupt")
    assert one.get("/sdapi/v1/progress").json()["state"]["job_count"] == 1
    one.post("/sdapi/v1/interrupt")
    thread.join(10)
    one.close()
    two.close()


# What cannot be


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("txt2img", {"prompt": ""}, 400, "empty"),
        ("txt2img", {"prompt": 5}, 400, "api_field"),
        ("txt2img", [], 400, "api_field"),
        ("txt2img", {"prompt": "x", "steps": "many"}, 400, "api_field"),
        ("txt2img", {"prompt": "x", "batch_size": 1000}, 400, "out_of_range"),
        ("txt2img", {"prompt": "x", "seed": 2**70}, 400, "out_of_range"),
        ("txt2img", {"prompt": "x", "override_settings": {"sd_model_checkpoint": "no such"}}, 404, "unknown_model"),
        ("img2img", {"prompt": "x"}, 400, "no_picture"),
        ("img2img", {"prompt": "x", "init_images": ["%"]}, 400, "api_data"),
        ("img2img", {"prompt": "x", "init_images": ["AAAA"]}, 400, "bad_image"),
        ("img2img", {"prompt": "x", "init_images": ["http://127.0.0.1/a.png"]}, 400, "api_remote"),
        ("img2img", {"prompt": "x", "init_images": ["file:///etc/passwd"]}, 400, "api_remote"),
        ("png-info", {"image": ""}, 400, "no_picture"),
        ("interrogate", {"image": "AAAA"}, 400, "bad_image"),
        ("extra-single-image", {"image": sent(png()), "upscaler_1": "R-ESRGAN 4x+"}, 404, "unknown_model"),
        ("extra-single-image", {"image": sent(png()), "upscaling_resize": 90}, 400, "out_of_range"),
        ("options", {"CLIP_stop_at_last_layers": "two"}, 400, "wrong_type"),
        ("nothing", {}, 404, "api_no_address"),
    ],
)  # fmt: skip
def test_one_clear_error_in_the_words_of_its_clients(
    place: Place, name: str, body: Any, status: int, code: str
) -> None:
    before = len(place.studio.jobs())
    found = post(place, name, body)
    assert (found.status_code, found.json()["error"]) == (status, code)
    assert set(found.json()) == {"error", "detail", "body", "errors"}
    assert len(place.studio.jobs()) == before


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["", "x", sent(png())]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_TASKS = {"txt2img": Painting, "img2img": Repainting, "extra-single-image": Enlarging, "interrogate": Interrogation}


@st.composite
def bodies(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A body with some fields of any kind; the others are as a client sends them."""
    fields = [*_TASKS[name].model_fields, "alwayson_scripts", "override_settings", "eta"]
    wild = draw(st.dictionaries(st.sampled_from(fields), _VALUES, max_size=4))
    usual = {"prompt": "x", "init_images": [sent(png())], "image": sent(png()), "steps": 1, "width": 64, "height": 64}
    return {**usual, **wild}


@pytest.mark.parametrize("name", _TASKS)
def test_no_body_is_a_fault_of_ours(place: Place, name: str) -> None:
    @examples(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(bodies(name))
    def answered(body: dict[str, Any]) -> None:
        data = json.dumps(body).encode("utf-8", "surrogatepass")
        found = place.http.post(f"/sdapi/v1/{name}", content=data, headers={"Content-Type": "application/json"})
        assert found.status_code < 500, (body, found.text)
        found.json()

    answered()
