"""Pictures through the service: words filled in, pictures to start from, adaptations, skip, what lies ready."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from studio.engines.demo.fake import FakeEngine, FakeModel
from studio.errors import StudioError
from studio.jobs import token_count
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.recipes import ai_marks, recipe, reproduce
from studio.request_parts import Axis, Lora
from studio.requests import ImageRequest, MusicRequest, UpscaleRequest
from studio.results import Artifact, Tokens, Update
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.image import prompt_template
from studio.tasks.image.prepare import STYLES, WILDCARDS
from studio.tasks.image.wordlists import Wordlists

HILLS = ImageRequest(prompt="hills", seed=5, steps=2, width=64, height=64)


@pytest.fixture
def public(settings: Settings) -> Iterator[Studio]:
    with Studio(settings.model_copy(update={"profile": "space"})) as running:
        yield running


def png(colour: str = "white", size: tuple[int, int] = (64, 64)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def pixels(artifact: Artifact, number: int = 0) -> bytes:
    return Image.open(artifact.files[number]).tobytes()


def made(studio: Studio, **changes: object) -> Artifact:
    return studio.submit(replace(HILLS, **changes)).result()  # type: ignore[arg-type]


def wait(job: Job) -> Update:
    *_, last = job.events(heartbeat=5)
    return last


def refusal(act: Callable[[], object]) -> StudioError:
    with pytest.raises(StudioError) as caught:
        act()
    return caught.value


# Seeds


def test_varied_pictures_are_relatives_of_one_and_each_can_be_made_again_alone(studio: Studio) -> None:
    batch = made(studio, count=4, seed=100, variation=0.1, variation_seed=7, prompt="a {red|blue|green|black} hill")
    seeds = [(one["seed"], one["parameters"]["variation_seed"]) for one in batch.recipes]
    assert seeds == [(100, 7), (100, 8), (100, 9), (100, 10)]
    assert len({tuple(one["parameters"]["prompts"]) for one in batch.recipes}) == 1
    assert len({pixels(batch, number) for number in range(4)}) == 4
    assert len(set(batch.files)) == 4
    again = recipe.to_request(batch.recipes[2])
    assert again is not None
    assert pixels(studio.submit(again).result()) == pixels(batch, 2)


def test_pictures_from_a_picture_are_not_varied_and_have_a_seed_each(studio: Studio) -> None:
    batch = made(studio, count=3, seed=100, variation=0.1, variation_seed=7, image=png("red"))
    assert [one["seed"] for one in batch.recipes] == [100, 101, 102]
    assert {one["parameters"]["variation_seed"] for one in batch.recipes} == {7}


def test_the_prompts_that_a_varied_batch_brings_go_with_their_pictures(studio: Studio) -> None:
    batch = made(studio, count=2, prompts=("red", "blue"), variation=0.1, variation_seed=7)
    assert [one["parameters"]["prompts"] for one in batch.recipes] == [["red"], ["blue"]]


@pytest.mark.parametrize("request_", [HILLS, MusicRequest(prompt="a reel", duration=1)])
def test_a_seed_of_minus_one_is_a_new_one(studio: Studio, request_: Any) -> None:
    drawn = {studio.submit(replace(request_, seed=-1)).result().recipe["seed"] for _ in range(3)}
    assert len(drawn) == 3
    assert min(drawn) >= 0


# Words


def test_a_plain_prompt_is_painted_as_it_stands(studio: Studio) -> None:
    given = made(studio, prompt="a (red:1.2) {thing}").recipe["parameters"]
    assert (given["prompt"], given["prompts"]) == ("a (red:1.2) {thing}", [])


def test_each_picture_draws_its_own_words_and_can_be_made_again_alone(studio: Studio) -> None:
    batch = made(studio, prompt="a __colour__ {cat|dog|fox} in __weather__", count=4)
    words = [one["parameters"]["prompts"] for one in batch.recipes]
    assert len({tuple(word) for word in words}) > 1
    assert all("__" not in word and "{" not in word for (word,) in words)
    alone = made(studio, prompt="a __colour__ {cat|dog|fox} in __weather__", seed=7)
    assert alone.recipe["parameters"]["prompts"] == words[2]
    assert pixels(alone) == pixels(batch, 2)
    request = recipe.to_request(batch.recipes[2])
    assert request is not None
    assert pixels(studio.submit(request).result()) == pixels(batch, 2)


def test_a_recipe_is_painted_from_its_own_words_even_when_the_lists_have_changed(studio: Studio) -> None:
    own = studio.home.wildcards / "pet.txt"
    own.write_text("cat\n")
    first = made(studio, prompt="a __pet__", styles=("ink",))
    own.unlink()
    request = recipe.to_request(first.recipes[0])
    assert request is not None
    assert pixels(studio.submit(request).result()) == pixels(first)


def test_styles_are_put_round_the_prompt_in_their_order(studio: Studio) -> None:
    (studio.home.styles / "big.txt").write_text("big {prompt}\nNegative prompt: small")
    (studio.home.styles / "old.txt").write_text("old {prompt}")
    given = made(studio, styles=("big", "old"), negative_prompt="fog").recipe["parameters"]
    assert given["prompts"] == ["old big hills"]
    assert given["negative_prompt"] == "fog, small"
    assert (given["prompt"], given["styles"]) == ("hills", ["big", "old"])


def test_the_users_own_files_win_and_strangers_get_only_ours(studio: Studio, settings: Settings) -> None:
    (studio.home.styles / "ink.txt").write_text("my ink")
    (studio.home.wildcards / "secret.txt").write_text("secret")
    assert made(studio, styles=("ink",)).recipe["parameters"]["prompts"] == ["hills, my ink"]
    assert "secret" in studio.wildcards()
    with Studio(settings.model_copy(update={"profile": "space"})) as public:
        assert "my ink" not in made(public, styles=("ink",)).recipe["parameters"]["prompts"][0]
        assert "secret" not in public.wildcards()
        assert refusal(lambda: public.submit(replace(HILLS, prompt="__secret__"))).code == "no_wildcard"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"prompt": "a __colur__"}, "no_wildcard"),
        ({"styles": ("watercolor",)}, "no_style"),
        ({"styles": ("../secret",)}, "no_style"),
        ({"prompt": "<lora:ink:much>"}, "bad_lora"),
        ({"prompt": "<lora:ink>"}, "no_lora"),
        ({"prompt": "<lora:../ink>"}, "no_lora"),
        ({"prompt": "".join(f"<lora:a{n}>" for n in range(9))}, "too_many"),
        ({"loras": (Lora("ink"),)}, "no_lora"),
    ],
)
def test_what_cannot_be_filled_in_is_refused_before_a_job_exists(
    studio: Studio, changes: dict[str, object], code: str
) -> None:
    error = refusal(lambda: studio.submit(replace(HILLS, **changes)))  # type: ignore[arg-type]
    assert error.code == code
    assert "{" not in error.what("zh-CN") + error.next("zh-CN") + error.what() + error.next()
    assert studio.jobs() == ()


def test_a_mistyped_style_is_answered_with_the_one_near_it(studio: Studio) -> None:
    assert "watercolour" in refusal(lambda: studio.submit(replace(HILLS, styles=("watercolor",)))).next()


# Adaptations


def adaptations(studio: Studio, *names: str) -> None:
    for name in names:
        (studio.home.loras / f"{name}.safetensors").write_bytes(b"x")


def test_adaptations_are_found_in_their_folder(studio: Studio) -> None:
    adaptations(studio, "ink", "my file.v2", "[XL] it's & co, 线条", ".hidden")
    (studio.home.loras / "notes.txt").write_text("x")
    assert studio.loras() == ("[XL] it's & co, 线条", "ink", "my file.v2")
    made(studio, prompt="hills <lora:[XL] it's & co, 线条:0.5>")


def test_an_adaptation_in_the_prompt_is_taken_out_of_it(studio: Studio) -> None:
    adaptations(studio, "ink", "wash")
    given = made(studio, prompt="hills <lora:ink:0.5>", loras=(Lora("wash", 1.0), Lora("ink", 0.9))).recipe[
        "parameters"
    ]
    assert given["prompts"] == ["hills"]
    assert given["loras"] == [{"name": "wash", "weight": 1.0}, {"name": "ink", "weight": 0.5}]


def test_pictures_of_one_batch_may_draw_different_adaptations(studio: Studio) -> None:
    adaptations(studio, "ink", "wash")
    batch = made(studio, prompt="hills {<lora:ink:1>|<lora:wash:1>}", count=6)
    drawn = [one["parameters"]["loras"][0]["name"] for one in batch.recipes]
    assert set(drawn) == {"ink", "wash"}
    assert [one["seed"] for one in batch.recipes] == [5, 6, 7, 8, 9, 10]
    assert batch.sheet is None
    alone = made(studio, prompt="hills {<lora:ink:1>|<lora:wash:1>}", seed=8)
    assert pixels(alone) == pixels(batch, 3)


def test_strangers_use_no_adaptations(public: Studio) -> None:
    adaptations(public, "ink")
    assert public.loras() == ()
    assert refusal(lambda: public.submit(replace(HILLS, loras=(Lora("ink"),)))).code == "not_for_public"


# Pictures to start from


def test_outside_the_mask_not_a_pixel_changes(studio: Studio) -> None:
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    out = io.BytesIO()
    mask.save(out, "PNG")
    artifact = made(studio, image=png("#123456"), mask=out.getvalue(), strength=1.0)
    picture = Image.open(artifact.files[0])
    assert set(picture.crop((32, 0, 64, 64)).getdata()) == {(0x12, 0x34, 0x56)}
    assert set(picture.crop((0, 0, 32, 64)).getdata()) != {(0x12, 0x34, 0x56)}


@pytest.mark.parametrize(
    "changes",
    [
        {"variation": 0.5, "variation_seed": 9},
        {"clip_skip": 2},
        {"hires_scale": 2.0, "width": 128, "height": 128},
        {"image": png("red")},
        {"image": png("red"), "strength": 0.1},
    ],
)
def test_the_stand_in_does_what_the_request_says(studio: Studio, changes: dict[str, object]) -> None:
    base = {name: value for name, value in changes.items() if name in ("width", "height", "image")}
    base = base if len(base) < len(changes) else {}
    assert pixels(made(studio, **changes)) == pixels(made(studio, **changes)) != pixels(made(studio, **base))


def test_a_picture_that_was_used_is_found_again_by_the_hash_in_the_recipe(studio: Studio) -> None:
    image, mask = png("red"), png("white")
    artifact = made(studio, image=image, mask=mask)
    named = recipe.sources(artifact.recipes[0])
    assert {field: studio.source(sha) for field, sha in named.items()} == {"image": image, "mask": mask}
    large = studio.submit(UpscaleRequest(image=png("blue"), scale=2)).result()
    assert studio.source(recipe.sources(large.recipes[0])["image"]) == png("blue")


def test_a_refused_request_keeps_no_picture(studio: Studio) -> None:
    refusal(lambda: made(studio, image=png("red"), prompt="__nothing__"))
    assert studio.source(hashlib.sha256(png("red")).hexdigest()) is None


def test_a_finished_job_holds_no_picture_in_memory(studio: Studio) -> None:
    for job in (
        studio.submit(replace(HILLS, image=png("red"), mask=png())),
        studio.submit_grid(replace(HILLS, image=png("red")), Axis("seed", ("1, 2",)), None),
    ):
        assert wait(job).kind == "done"
        assert all(one.image == one.mask == b"" for one in (job.request, *job.requests))  # type: ignore[union-attr]
        assert job.request is not None


def test_strangers_pictures_are_not_kept(public: Studio) -> None:
    made(public, image=png("red"))
    assert not public.home.inputs.exists()
    assert public.source(hashlib.sha256(png("red")).hexdigest()) is None


# While it runs


def test_skip_leaves_one_picture_out_and_the_others_come(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.01).submit(replace(HILLS, count=3, steps=6))
    next(update for update in job.events() if update.step > 1)
    job.skip()
    last = wait(job)
    assert last.kind == "done"
    assert last.artifact is not None
    assert [one["seed"] for one in last.artifact.recipes] == [6, 7]


def test_skipping_the_only_picture_ends_the_job_without_one(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.01).submit(replace(HILLS, steps=6))
    next(update for update in job.events() if update.step > 1)
    job.skip()
    last = wait(job)
    assert (last.kind, last.artifact, last.error) == ("cancelled", None, None)


def test_one_press_skips_one_picture(studio: Studio) -> None:
    job = Job("image", "hills")
    job.skip()
    assert not job.skipped(), "nothing is in work yet"
    job.begin_run()
    job.skip()
    assert (job.skipped(), job.skipped()) == (True, False)


def test_previews_come_only_where_they_are_wanted_and_change_nothing(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.01)

    def seen(previews: bool) -> tuple[bool, bytes]:
        job = studio.submit(HILLS, previews=previews)
        updates = list(job.events())
        assert updates[-1].artifact is not None
        return any(update.previews for update in updates), pixels(updates[-1].artifact)

    without, plain = seen(False)
    with_previews, shown = seen(True)
    assert (without, with_previews) == (False, True)
    assert plain == shown


def test_pictures_are_kept_as_asked(studio: Studio) -> None:
    job = studio.submit(HILLS, keep=Keep(pattern="[seed]-[steps]", format="webp", metadata=False))
    (file,) = job.result().files
    assert (file.name, recipe.read_recipe(file.read_bytes())) == ("5-2.webp", None)
    marks = ai_marks.read_marks(file.read_bytes())
    assert (marks.source, marks.labels) == (ai_marks.MADE, 1), "the mark stays"
    assert b"hills" not in file.read_bytes()


# What lies ready


def test_tokens_come_from_the_engine_without_what_is_no_word(studio: Studio) -> None:
    assert studio.tokens("demo-image", "a (red:1.2) cat <lora:ink:1>") == Tokens(3, 75, "")
    assert studio.tokens("demo-image", "word " * 77).cut == "word word"


@pytest.mark.parametrize("model", ["", "nothing", "demo-chat"])
def test_tokens_are_zero_where_nobody_can_tell(studio: Studio, model: str) -> None:
    assert studio.tokens(model, "a cat") == Tokens(0, 0, "")


def test_a_tokenizer_that_fails_is_no_error(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "tokens", lambda *_: 1 / 0)
    assert studio.tokens("demo-image", "a <lora:bad:x> cat") == Tokens(0, 0, "")


def test_nobody_waits_long_for_a_count(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, calls = threading.Event(), []

    def count(_: object, __: object, ___: object, prompt: str, ____: object) -> Tokens:
        calls.append(prompt)
        go_on.wait(10)
        return Tokens(7, 75, "")

    with monkeypatch.context() as slow:
        slow.setattr(token_count, "PATIENCE", 0.05)
        slow.setattr(FakeEngine, "tokens", count)
        assert [studio.tokens("demo-image", word) for word in ("a", "b", "c")] == [Tokens(0, 0, "")] * 3
    go_on.set()
    assert studio.tokens("demo-image", "a cat") == Tokens(2, 75, "")
    assert calls == ["a"], "what nobody waits for any more is not counted"


def test_earlier_prompts_come_newest_first_and_once(studio: Studio) -> None:
    for prompt in ("one", "two", "one", "a {b|c}"):
        made(studio, prompt=prompt, count=2)
    assert set(studio.prompts()) == {"a {b|c}", "one", "two"}
    assert len(studio.prompts()) == 3
    assert len(studio.prompts(limit=2)) == 2


def test_earlier_words_of_pieces_are_found_field_by_field(studio: Studio) -> None:
    for prompt, negative in (("calm", "drums"), ("storm", ""), ("calm", "drums")):
        studio.submit(MusicRequest(prompt=prompt, negative_prompt=negative, duration=1)).result()
    assert set(studio.prompts(task="music")) == {"calm", "storm"}
    assert studio.prompts(task="music", field="negative_prompt") == ("drums",)
    assert studio.prompts() == ()


def test_strangers_see_no_earlier_prompts(public: Studio) -> None:
    made(public)
    assert public.prompts() == ()
    assert public.prompts(task="music", field="negative_prompt") == ()


def test_nothing_of_a_picture_reaches_an_engine_unfilled(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ImageRequest] = []
    run = FakeModel.run

    def watch(self: FakeModel, request: ImageRequest, context: object) -> object:
        seen.append(request)
        return run(self, request, context)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeModel, "run", watch)
    studio.submit(ImageRequest(prompt="__scene__", variation=0.1, image=png())).result()
    assert None not in [getattr(seen[0], name) for name in ImageRequest.__dataclass_fields__]
    assert len(seen[0].prompts) == 1


# What comes with the studio


def test_our_own_styles_have_a_place_for_the_prompt(studio: Studio) -> None:
    lists = Wordlists(STYLES)
    assert len(lists.names()) >= 12
    for name in lists.names():
        style = prompt_template.read_style(lists.text(name) or "")
        assert style.prompt.count("{prompt}") == 1, name
        assert "\n" not in style.prompt


def test_our_own_wildcards_can_all_be_drawn(studio: Studio) -> None:
    for name in Wordlists(WILDCARDS).names():
        for seed in range(8):
            made(studio, prompt=f"a __{name}__", seed=seed, steps=1)
    assert Path(WILDCARDS).is_dir()


# Samplers that a model cannot use


def test_a_sampler_that_the_model_cannot_use_is_settled_before_the_model_is_loaded(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeEngine, "samples", lambda *asked: asked[-1] == "DDIM", raising=False)
    job = studio.submit(replace(HILLS, scheduler="Euler"))
    assert isinstance(job.request, ImageRequest)
    assert job.request.scheduler == ""
    artifact = job.result()
    assert artifact.notes == (("own_scheduler", {"name": "Euler"}),)
    assert artifact.recipe["parameters"]["scheduler"] == ""  # the one that was really used
    assert "Sampler: Euler" not in Image.open(artifact.files[0]).info["parameters"]
    kept = made(studio, scheduler="DDIM")
    assert (kept.notes, kept.recipe["parameters"]["scheduler"]) == ((), "DDIM")


def test_so_it_is_for_every_cell_of_a_grid(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "samples", lambda *asked: asked[-1] == "DDIM", raising=False)
    artifact = studio.submit_grid(HILLS, Axis("scheduler", ("Euler, DDIM, Heun, Euler",)), None).result()
    assert [one["parameters"]["scheduler"] for one in artifact.recipes] == ["", "DDIM", "", ""]
    assert artifact.notes == (("own_scheduler", {"name": "Euler"}), ("own_scheduler", {"name": "Heun"}))


# ---- embeddings


def test_an_embedding_that_a_prompt_names_is_in_the_recipe_by_its_hash(studio: Studio) -> None:
    file = studio.home.embeddings / "Moss.safetensors"
    save_file({"emb_params": np.zeros((2, 768), np.float32)}, file)
    artifact = made(studio, prompt="a wall of moss", negative_prompt="people")
    hash = hashlib.sha256(file.read_bytes()).hexdigest()
    assert artifact.recipes[0]["embeddings"] == {"Moss": hash}
    told = recipe.read_recipe(artifact.files[0].read_bytes())
    assert told is not None
    assert told["embeddings"] == {"Moss": hash}
    with Image.open(artifact.files[0]) as picture:
        assert f'TI hashes: "Moss: {hash[:12]}"' in picture.info["parameters"]
    assert "embeddings" not in made(studio, prompt="a wall").recipes[0]
    save_file({"emb_params": np.ones((2, 768), np.float32)}, file)
    again = made(studio, prompt="a wall of moss", negative_prompt="people")
    compared = reproduce.compare(
        artifact.files[0].read_bytes(), artifact.recipes[0], again.files[0].read_bytes(), again.recipes[0]
    )
    assert [one.what for one in compared.differences] == ["embedding Moss"]


def test_a_pickle_that_a_prompt_names_is_refused_before_anything_loads(studio: Studio, public: Studio) -> None:
    (studio.home.embeddings / "moss.pt").write_bytes(b"")
    assert refusal(lambda: studio.submit(replace(HILLS, prompt="a wall of moss"))).code == "embedding_pickle"
    assert refusal(lambda: studio.submit(replace(HILLS, negative_prompt="moss"))).code == "embedding_pickle"
    assert wait(public.submit(replace(HILLS, prompt="a wall of moss"))).error is None
