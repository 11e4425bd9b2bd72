"""The picture that follows what is typed: it comes by itself, is kept by a click, and stays out of the way."""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from e2e.conftest import Gate, Keep, Serve, Visit, _use
from e2e.desk import Desk
from studio.engines.demo.fake import FakeModel
from studio.requests import ImageRequest
from studio.service import Studio
from tabs.image import form, sketch

QUICK = {"steps": 4, "width": 256, "height": 256}


@pytest.fixture
def quick(studio: Studio) -> Studio:
    """The stand-ins, with a painter of four steps."""
    few(studio)
    return studio


def few(studio: Studio) -> None:
    cards = dict(studio.catalog.cards)
    cards["demo-image"] = replace(cards["demo-image"], defaults=QUICK)
    _use(studio, replace(studio.catalog, cards=MappingProxyType(cards)))


def sketched(desk: Desk) -> Locator:
    return desk.page.locator(".a-sketch img")


def bytes_of(desk: Desk) -> bytes:
    """What the browser was sent."""
    read = """async (image) => {
        const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
        return btoa([...bytes].map((one) => String.fromCharCode(one)).join(""));
    }"""
    return base64.b64decode(sketched(desk).evaluate(read))


def seed(desk: Desk) -> str:
    return desk.page.locator(".a-sketch").get_attribute("data-seed") or ""


def typed(desk: Desk, words: str) -> Desk:
    """Type as a person does, and wait for the picture of the last letter."""
    desk.field("prompt").press_sequentially(words, delay=10)
    expect(sketched(desk)).to_have_attribute("alt", words)
    return desk


def made(studio: Studio) -> list[Path]:
    return sorted(studio.home.outputs.rglob("*.png"))


def test_it_follows_the_letters_and_a_click_keeps_it(quick: Studio, visit: Visit, url: str, keep: Keep) -> None:
    desk = typed(visit(url).go("image"), "hills")
    expect(sketched(desk)).to_be_visible()
    before, files, number = bytes_of(desk), made(quick), seed(desk)
    keep(desk, "sketch")
    desk.field("prompt").press("End")
    desk.field("prompt").press_sequentially(" at dusk")
    expect(sketched(desk)).to_have_attribute("alt", "hills at dusk")
    assert bytes_of(desk) != before
    assert seed(desk) == number
    assert made(quick) == files
    now = bytes_of(desk)
    sketched(desk).click()
    expect(desk.pictures).to_have_count(1)
    expect(sketched(desk)).to_be_hidden()
    (artifact,) = [job.snapshot().artifact for job in quick.jobs()]
    assert artifact is not None
    assert str(artifact.recipe["seed"]) == number
    assert Image.open(artifact.files[0]).tobytes() == Image.open(io.BytesIO(now)).convert("RGB").tobytes()


def test_what_stood_there_comes_back_with_escape(quick: Studio, visit: Visit, url: str) -> None:
    del quick
    desk = visit(url).go("image").paint("a valley")
    expect(sketched(desk)).to_be_hidden()  # what was painted needs no sketch
    desk.field("prompt").fill("")
    typed(desk, "sea")
    expect(desk.pictures).to_be_hidden()
    desk.page.keyboard.press("Escape")
    expect(sketched(desk)).to_be_hidden()
    expect(desk.pictures).to_be_visible()


def test_run_paints_what_is_seen_and_then_another(quick: Studio, visit: Visit, url: str) -> None:
    desk = typed(visit(url).go("image"), "hills")
    number = seed(desk)
    desk.run()
    expect(desk.pictures).to_have_count(1)
    desk.idle().run().idle()
    desk.until(lambda: len([job for job in quick.jobs() if job.done]) == 2)
    seeds = [str(job.snapshot().artifact.recipe["seed"]) for job in quick.jobs()]  # pyright: ignore
    assert seeds[0] == number
    assert seeds[1] != number


def test_a_sketch_that_comes_after_run_was_pressed_does_not_hide_the_result(
    quick: Studio, visit: Visit, url: str
) -> None:
    desk = visit(url).go("image")
    desk.page.evaluate("""() => {
        const decode = HTMLImageElement.prototype.decode;
        HTMLImageElement.prototype.decode = function () {
            document.documentElement.dataset.decoding = "yes";
            return new Promise((done) => setTimeout(done, 1500)).then(() => decode.call(this));
        };
    }""")
    desk.field("prompt").press_sequentially("hills", delay=10)
    expect(desk.page.locator("html[data-decoding]")).to_be_attached()
    desk.run()
    expect(desk.pictures).to_have_count(1)
    desk.page.wait_for_timeout(2000)
    expect(desk.page.locator(".a-sketch")).to_be_hidden()
    expect(desk.pictures.first).to_be_visible()


def test_dice_show_another_picture(quick: Studio, visit: Visit, url: str) -> None:
    del quick
    desk = typed(visit(url).go("image"), "hills")
    number = seed(desk)
    desk.page.locator("#image-dice").click()
    desk.until(lambda: seed(desk) not in ("", number))


def test_the_switch_turns_it_off_and_stays_so(quick: Studio, visit: Visit, url: str) -> None:
    del quick
    desk = typed(visit(url).go("image"), "hills")
    desk.page.get_by_label("Paint while I type").uncheck()
    expect(sketched(desk)).to_be_hidden()
    desk.page.reload()
    desk = Desk(desk.page).go("image")
    expect(desk.page.get_by_label("Paint while I type")).not_to_be_checked()
    desk.field("prompt").press_sequentially(" and")
    desk.page.wait_for_timeout(400)
    expect(sketched(desk)).to_be_hidden()


def test_an_example_is_painted_once(quick: Studio, visit: Visit, url: str) -> None:
    desk = visit(url).go("image")
    desk.page.locator("#tab-image .a-tile").first.click()
    expect(desk.pictures).to_have_count(1)
    desk.idle().page.wait_for_timeout(600)
    expect(sketched(desk)).to_be_hidden()
    assert len(quick.jobs()) == 1


def test_it_waits_for_the_job_of_somebody_else(quick: Studio, visit: Visit, url: str, gate: Gate) -> None:
    desk = visit(url).go("image")
    gate.shut(after=1)
    job = quick.submit(
        form.request({**form.EMPTY, "prompt": "theirs"}, quick.catalog.get("demo-image"), sketch.Drawing())
    )
    desk.field("prompt").press_sequentially("hills")
    desk.page.wait_for_timeout(600)
    expect(sketched(desk)).to_be_hidden()
    gate.open()
    assert job.result().files
    expect(sketched(desk)).to_be_visible()


def test_a_machine_that_is_too_slow_is_left_alone_until_the_person_insists(
    quick: Studio, visit: Visit, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del quick
    step = FakeModel._step

    def slow(model: FakeModel, context: object, done: int, total: int = 0) -> None:
        model._pause = 0.15
        step(model, context, done, total)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(FakeModel, "_step", slow)
    desk = visit(url).go("image")
    switch, line = desk.page.get_by_label("Paint while I type"), desk.page.locator(".a-sketch-slow")
    for words in ("a", "ab", "abc"):
        desk.field("prompt").press_sequentially(words[-1])
        expect(sketched(desk)).to_have_attribute("alt", words)
    expect(switch).not_to_be_checked()
    expect(line).to_be_visible()
    switch.check()
    expect(line).to_be_hidden()
    for letter in "defg":
        desk.field("prompt").press_sequentially(letter)
        desk.until(lambda letter=letter: (sketched(desk).get_attribute("alt") or "").endswith(letter))
    expect(switch).to_be_checked()


def test_a_painter_of_many_steps_has_no_switch(desk: Desk) -> None:
    desk.go("image")
    expect(desk.page.get_by_label("Paint while I type")).to_be_hidden()
    desk.field("prompt").press_sequentially("hills")
    desk.page.wait_for_timeout(400)
    expect(sketched(desk)).to_be_hidden()


# What is sent to the address


def post(url: str, body: object, method: str = "POST", **headers: str) -> tuple[int, bytes]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url.rstrip('/')}/atelier/sketch", data if method == "POST" else None, method=method,
        headers={"Content-Type": "application/json", **headers},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


HILLS = {"image-prompt": "hills", "image-seed": "7"}


def test_the_address_answers_with_the_picture_of_the_job(quick: Studio, url: str) -> None:
    status, data = post(url, {"fields": {**HILLS, "image-steps": "3"}})
    assert status == 200
    job = quick.submit(ImageRequest(prompt="hills", seed=7, steps=3))
    assert Image.open(io.BytesIO(data)).tobytes() == Image.open(job.result().files[0]).tobytes()


@pytest.mark.parametrize(
    "fields", [{}, {"image-prompt": "  "}, {**HILLS, "image-x-field": "steps"}, {**HILLS, "image-model": None}]
)
def test_where_there_is_nothing_to_paint_there_is_no_answer(quick: Studio, url: str, fields: dict[str, object]) -> None:
    del quick
    assert post(url, {"fields": fields})[0] == (200 if "image-model" in fields else 204)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", [], {"fields": []}, {"fields": {"image-prompt": 5}}, {"fields": {"image-styles": [1]}},
     {"fields": {**HILLS, "image-tiling": "yes"}}, {"fields": {**HILLS, "image-steps": "many"}},
     {"fields": {**HILLS, "image-model": "none such"}}, {"fields": {**HILLS, "image-steps": "5000"}}],
)  # fmt: skip
def test_what_the_page_never_sends_is_one_clear_error(quick: Studio, url: str, body: object) -> None:
    del quick
    status, data = post(url, body)
    assert status in (400, 422)
    assert json.loads(data)["error"]


def test_other_methods_and_other_sites_are_refused(quick: Studio, url: str) -> None:
    del quick
    assert post(url, {}, "GET")[0] == 405
    assert post(url, {"fields": HILLS}, **{"Origin": "http://example.org"})[0] == 403


def test_behind_a_password_nothing_is_painted(serve: Serve) -> None:
    studio, url = serve(demo=True, user="u", password="long enough")
    few(studio)
    assert post(url, {"fields": HILLS})[0] == 401


def test_every_field_that_has_a_say_has_the_name_that_it_has_on_the_page(desk: Desk) -> None:
    desk.go("image")
    for name in [name for name in form.EMPTY if not name.startswith(("refiner", "detail"))]:
        expect(desk.page.locator(f"#{sketch.id_of(name)}")).to_have_count(1)
