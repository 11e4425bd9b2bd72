"""A picture that was made from another one keeps what made that one, as deep as it goes; other programs see it too."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import recipe_of
from PIL import Image, PngImagePlugin

from studio.library.file_names import Keep
from studio.recipes import embed_image, infotext, infotext_passages, inspect, origins, recipe, reproduce
from studio.requests import ImageRequest, MusicRequest, UpscaleRequest
from studio.service import Studio
from studio.settings import Settings

PAINTING = ImageRequest(
    prompt="a red house", negative_prompt="people", seed=11, width=64, height=96, steps=3, guidance_scale=6.5
)
FOREIGN = "a castle\nNegative prompt: fog\nSteps: 30, Sampler: Euler a, CFG scale: 7, Seed: 77, Size: 64x64, \
Model hash: abc, Model: dreamshaper, ENSD: 31337, Version: v1.10"


@pytest.fixture
def studio(tmp_path: Path) -> Any:
    with Studio(Settings.model_validate({"home": tmp_path, "demo": True})) as opened:
        yield opened


def png(**texts: str) -> bytes:
    info, out = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (16, 16), "red").save(out, "PNG", pnginfo=info)
    return out.getvalue()


def larger(studio: Studio, data: bytes, scale: int = 2, **keep: Any) -> Path:
    (file,) = studio.submit(UpscaleRequest(image=data, scale=scale), keep=Keep(**keep) if keep else None).result().files
    return file


def settings_line(data: bytes) -> dict[str, str]:
    """The settings in `parameters`, as web UIs read them."""
    with Image.open(io.BytesIO(data)) as picture:
        return dict(infotext_passages.split(picture.info["parameters"]).settings)


def test_an_enlarged_picture_tells_its_painting_and_the_enlargement(studio: Studio) -> None:
    (file,) = studio.submit(PAINTING).result().files
    big = larger(studio, file.read_bytes())
    data = big.read_bytes()
    found = inspect.read_settings(data)
    assert found is not None
    assert not found.broken
    assert {name: found.fields[name] for name in ("prompt", "negative_prompt", "seed", "steps", "width", "height")} == {
        "prompt": "a red house", "negative_prompt": "people", "seed": 11, "steps": 3, "width": 64, "height": 96,
    }  # fmt: skip
    assert found.model == "demo-image"
    assert origins.enlargements(found.recipe or {}) == ((2, "Demo upscaler"),)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (128, 192)
        prompt, negative, line = picture.info["parameters"].split("\n")
    assert (prompt, negative) == ("a red house", "Negative prompt: people")
    said = settings_line(data)
    assert said["Postprocess upscale by"] == "2"
    assert (said["Seed"], said["Size"], said["Model"]) == ("11", "64x96", "Demo painter")
    assert (said["Postprocess upscaler"], "Seed: 0" in line) == ("Demo upscaler", False)


def test_it_is_called_by_its_prompt_and_seed_and_found_again(studio: Studio) -> None:
    (file,) = studio.submit(PAINTING).result().files
    big = larger(studio, file.read_bytes(), 3)
    assert big.name.endswith("-a-red-house-11-x3.png")
    assert [found.files[0] for found in studio.library.recent(("image", "upscale"))] == [big, file]


def test_enlarging_twice_keeps_both_and_the_first_of_all(studio: Studio) -> None:
    (file,) = studio.submit(PAINTING).result().files
    twice = larger(studio, larger(studio, file.read_bytes()).read_bytes(), 2)
    made = recipe.read_recipe(twice.read_bytes())
    assert made is not None
    assert [link["task"] for link in origins.chain(made)] == ["upscale", "upscale", "image"]
    assert origins.factor(made) == 4
    assert settings_line(twice.read_bytes())["Postprocess upscale by"] == "4"
    assert origins.painting(made)["seed"] == 11
    assert twice.name.endswith("-a-red-house-11-x4.png")


def test_an_enlarged_picture_is_made_again_from_the_one_it_was(studio: Studio) -> None:
    (file,) = studio.submit(PAINTING).result().files
    big = larger(studio, file.read_bytes())
    made = recipe.read_recipe(big.read_bytes()) or {}
    wanted = reproduce.request(made, studio.source)
    assert isinstance(wanted, UpscaleRequest)
    (other,) = studio.submit(wanted).result().files
    compared = reproduce.compare(
        big.read_bytes(), made, other.read_bytes(), recipe.read_recipe(other.read_bytes()) or {}
    )
    assert (compared.same, compared.differences) == (True, ())
    assert (recipe.read_recipe(other.read_bytes()) or {})["origin"] == made["origin"]


def test_another_programs_picture_keeps_its_settings_word_for_word(studio: Studio) -> None:
    data = larger(studio, png(parameters=FOREIGN)).read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        assert (
            picture.info["parameters"] == f"{FOREIGN}, Postprocess upscale by: 2, Postprocess upscaler: Demo upscaler"
        )
    found = inspect.read_settings(data)
    assert found is not None
    assert (found.fields["prompt"], found.fields["seed"], found.model) == ("a castle", 77, "dreamshaper")


def test_lines_behind_the_settings_stay_behind_them(studio: Studio) -> None:
    data = larger(studio, png(parameters=f"{FOREIGN}\nTemplate: a {{castle|tree}}, with x")).read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        *_, line, template = picture.info["parameters"].split("\n")
    assert line.endswith("Version: v1.10, Postprocess upscale by: 2, Postprocess upscaler: Demo upscaler")
    assert template == "Template: a {castle|tree}, with x"


def test_settings_in_another_form_become_the_text_that_web_uis_share(studio: Studio) -> None:
    graph = {
        "1": {"class_type": "KSampler", "inputs": {"seed": 2**60, "steps": 9, "cfg": 4, "sampler_name": "euler",
              "scheduler": "normal", "denoise": 1, "positive": ["2", 0], "negative": ["3", 0], "model": ["4", 0]}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a barn"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "snow"}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.safetensors"}},
    }  # fmt: skip
    big = larger(studio, png(prompt=json.dumps(graph)))
    said = settings_line(big.read_bytes())
    assert (said["Seed"], said["Steps"], said["Version"]) == (str(2**60), "9", "ComfyUI")
    assert "a-barn" in big.name
    found = inspect.read_settings(big.read_bytes())
    assert found is not None
    assert (found.fields["prompt"], found.fields["negative_prompt"], found.fields["seed"]) == ("a barn", "snow", 2**60)


def test_a_picture_that_says_nothing_stays_one(studio: Studio) -> None:
    big = larger(studio, png())
    assert big.name.endswith("-upscale-x2.png")
    found = inspect.read_settings(big.read_bytes())
    assert found is not None
    assert (found.fields, found.broken) == ({}, False)
    assert "Seed" not in settings_line(big.read_bytes())


def test_what_is_kept_beside_a_picture_is_kept_beside_the_larger_one(studio: Studio) -> None:
    """A person who keeps the prompt out of the file does not find it in the enlarged one."""
    (file,) = studio.submit(PAINTING, keep=Keep(metadata=False)).result().files
    big = larger(studio, file.read_bytes(), metadata=False, origin=studio.library.recent("image")[0].recipe)
    assert b"red house" not in big.read_bytes()
    (found,) = studio.library.recent("upscale")
    assert origins.painting(found.recipe)["parameters"]["prompt"] == "a red house"
    assert "a-red-house-11-x2" in big.name


def test_a_painting_over_a_picture_and_music_that_goes_on_remember_what_they_began_with(studio: Studio) -> None:
    (file,) = studio.submit(PAINTING).result().files
    over = ImageRequest(prompt="in snow", image=file.read_bytes(), strength=0.5, width=64, height=64, steps=2)
    made = studio.submit(over).result().recipe
    assert made["origin"]["parameters"]["prompt"] == "a red house"
    assert origins.painting(made)["parameters"]["prompt"] == "in snow", "a painting over it is a painting of its own"
    (first,) = studio.submit(MusicRequest(prompt="a reel", seed=5, duration=2)).result().files
    with_sound = MusicRequest(prompt="faster", seed=6, duration=2, sound=first.read_bytes())
    assert studio.submit(with_sound).result().recipe["origin"]["seed"] == 5


def test_a_chain_without_end_is_cut_in_its_middle() -> None:
    made: dict[str, Any] = recipe_of("image", {"steps": 1}, seed=3)
    for number in range(30):
        made = origins.attached(recipe_of("upscale", {"scale": 2}, seconds=float(number)), made)
    links = origins.chain(made)
    assert len(links) == origins.MAX_DEPTH
    assert (links[0]["seconds"], links[-1]["task"], links[-1]["seed"]) == (29.0, "image", 3)
    assert recipe.from_json(json.dumps(made)) == made


def test_too_much_to_carry_is_left_out() -> None:
    long = recipe_of("image", {"negative_prompt": "x" * origins.MAX_CHARACTERS})
    assert "origin" not in origins.attached(recipe_of("upscale", {"scale": 2}), long)


HOSTILE: list[Any] = [
    7, "x", [], {}, {"parameters": 7}, {"parameters": ""}, {"parameters": "x" * 300_000}, {"format": "atelier/1"},
    {"format": "atelier/1", "task": "image", "model": {}, "parameters": []},
]  # fmt: skip


@pytest.mark.parametrize("origin", HOSTILE)
def test_an_origin_that_is_none_is_left_out(origin: Any) -> None:
    made = recipe.from_json(json.dumps(recipe_of("upscale", {"scale": 2}, origin=origin)))
    assert made is not None
    assert "origin" not in made


def test_origins_in_origins_without_end_are_read_in_no_time() -> None:
    deep = json.dumps(recipe_of("upscale", {"scale": 2}))[:-1]
    text = f'{deep}, "origin": ' * 900 + "null" + "}" * 900
    made = recipe.from_json(text)
    assert made is None or len(origins.chain(made)) <= origins.MAX_DEPTH


JSON = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_values_in_an_origin_can_be_written_and_restored(data: st.DataObject) -> None:
    parameters = recipe.parameters(PAINTING) | data.draw(
        st.dictionaries(st.sampled_from(sorted(recipe.parameters(PAINTING))), JSON, max_size=4)
    )
    made = recipe.from_json(
        json.dumps(recipe_of("upscale", {"scale": data.draw(JSON)}, origin=recipe_of("image", parameters)))
    )
    if made is None:
        return
    origins.text(made)
    inspect.restore_recipe(made)
    embed_image.encode_jpeg(Image.new("RGB", (4, 4)), made)


def test_the_text_of_an_enlargement_without_a_settings_line_has_one() -> None:
    text = infotext.write_enlarged(recipe_of("upscale", {"scale": 2}), "only words", 2)
    assert text == 'only words\nPostprocess upscale by: 2, Postprocess upscaler: "Model, the", Version: Atelier 0.1.0'
