"""The queue: what waits behind a gate is seen, moved, held, taken out, repeated, and there again after a restart."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import gradio
import pytest
from playwright.sync_api import Locator, expect

from e2e.conftest import Gate, Serve, Visit
from e2e.desk import Desk
from e2e.test_axe import found
from studio.engines.demo.fake import FakeModel
from studio.jobs.job import Job
from studio.requests import ImageRequest, MusicRequest
from studio.service import Studio
from tabs.serve import free_port

WORDS = ("one hill", "two hills", "three hills")


class Queue:
    """The open panel."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.panel = desk, desk.page.locator("#queue")
        desk.page.locator("[data-queue]").click()
        expect(self.panel).to_be_visible()

    def part(self, name: str) -> Locator:
        return self.panel.locator(f"[data-part={name}] li")

    def row(self, words: str) -> Locator:
        return self.panel.locator("li").filter(has=self.desk.page.get_by_text(words, exact=True))

    def press(self, button: str, words: str) -> None:
        self.row(words).get_by_role("button", name=f"{button}: ").click()

    def shows(self, *words: str) -> None:
        """The open jobs, in this order."""
        expect(self.part("now").locator(".a-queue-title span")).to_have_text(list(words))

    @property
    def said(self) -> Locator:
        return self.panel.locator(".a-queue-said")


@pytest.fixture
def waiting(studio: Studio, gate: Gate, desk: Desk) -> list[Job]:
    """Three pictures that wait behind one of the page's own."""
    gate.shut(1)
    desk.go("image").type("the first").run()
    expect(desk.page.locator("#strip-text [data-job]")).to_be_visible()
    return [studio.submit(ImageRequest(prompt=words, steps=2), "another browser") for words in WORDS]


def test_jobs_are_moved_held_and_taken_out(desk: Desk, gate: Gate, studio: Studio, waiting: list[Job]) -> None:
    expect(desk.page.locator("[data-queue]")).to_have_text("3 waiting")
    queue = Queue(desk)
    queue.shows("the first", *WORDS)
    expect(queue.row("one hill")).to_contain_text("1 in front")
    expect(queue.row("three hills")).to_contain_text("3 in front")
    expect(queue.row("one hill").get_by_role("button", name="Up")).to_be_disabled()
    queue.press("To the front", "three hills")
    queue.shows("the first", "three hills", "one hill", "two hills")
    expect(queue.said).to_have_text("Now in place 1.")
    queue.press("Down", "one hill")
    queue.shows("the first", "three hills", "two hills", "one hill")
    queue.press("Hold", "three hills")
    queue.shows("the first", "two hills", "one hill", "three hills")
    expect(queue.row("three hills")).to_contain_text("On hold")
    queue.press("Cancel", "one hill")
    queue.shows("the first", "two hills", "three hills")
    expect(queue.part("over").locator(".a-queue-title span")).to_have_text(["one hill"])
    expect(queue.row("one hill")).to_contain_text("stopped")
    gate.open()
    queue.shows("three hills")
    assert [job.snapshot().kind for job in waiting] == ["cancelled", "done", "queued"]
    queue.press("Let go on", "three hills")
    expect(queue.panel.get_by_text("Nothing waits.")).to_be_visible()
    assert waiting[2].result().files


def test_a_second_page_and_a_reload_see_the_same_list(desk: Desk, visit: Visit, url: str, waiting: list[Job]) -> None:
    queue = Queue(desk)
    queue.press("To the front", "two hills")
    queue.press("Hold", "one hill")
    expected = ("the first", "two hills", "three hills", "one hill")
    queue.shows(*expected)
    second = Queue(Desk.open(desk.page.context.new_page(), url))
    second.shows(*expected)
    second.press("Up", "three hills")
    queue.shows("the first", "three hills", "two hills", "one hill")
    desk.page.reload()
    desk.page.locator("[data-queue]").wait_for()
    Queue(desk).shows("the first", "three hills", "two hills", "one hill")


def test_what_is_over_is_repeated_and_opened_in_its_tab(desk: Desk, studio: Studio) -> None:
    desk.go("image").paint("a red hill").paint("a blue hill")
    desk.go("chat")
    queue = Queue(desk)
    queue.press("Open", "a red hill")
    expect(queue.panel).to_be_hidden()
    desk.tab = "image"
    expect(desk.details).to_contain_text("a red hill")
    queue = Queue(desk)
    expect(queue.part("over")).to_have_count(2)
    queue.press("Repeat", "a blue hill")
    expect(queue.said).to_have_text("It is in the queue again.")
    expect(queue.part("over")).to_have_count(3)
    first, again = studio.jobs()[1], studio.jobs()[-1]
    assert (again.title, again.session) == ("a blue hill", first.session)
    assert again.result().recipe["seed"] != first.result().recipe["seed"]


def test_it_is_used_with_the_keyboard_alone_and_the_focus_is_never_nowhere(desk: Desk, waiting: list[Job]) -> None:
    page = desk.page
    page.locator("[data-queue]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#queue-title")).to_be_focused()
    queue = page.locator("#queue")
    queue.get_by_role("button", name="Down: Image: one hill").focus()
    page.keyboard.press("Enter")
    expect(queue.get_by_role("button", name="Down: Image: one hill")).to_be_focused()
    page.keyboard.press("Space")
    expect(queue.get_by_role("button", name="Down: Image: one hill")).to_be_disabled()
    expect(queue.locator(f"[data-job='{waiting[0].id}'] button:focus")).to_have_count(1)
    queue.get_by_role("button", name="Cancel: Image: two hills").focus()
    page.keyboard.press("Enter")
    expect(queue.locator("li button:focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(queue).to_be_hidden()
    expect(page.locator("[data-queue]")).to_be_focused()


def test_a_press_counts_though_the_list_changes_while_it_is_held(desk: Desk, waiting: list[Job]) -> None:
    queue = Queue(desk)
    down = queue.panel.get_by_role("button", name="Down: Image: one hill")
    down.hover()
    desk.page.mouse.down()
    with desk.page.expect_response(lambda answer: "queue" in answer.url and "two" not in str(answer.json()["open"])):
        waiting[1].cancel()  # the list is another now
    desk.page.wait_for_timeout(100)
    desk.page.mouse.up()
    queue.shows("the first", "three hills", "one hill")


@pytest.mark.parametrize(("width", "language"), [(1440, "en"), (420, "zh-CN")])
def test_nothing_serious_and_nothing_too_wide(
    visit: Visit, studio: Studio, gate: Gate, url: str, width: int, language: str
) -> None:
    gate.shut()
    for number in range(3):
        studio.submit(ImageRequest(prompt=f"{'a very long prompt ' * 12}{number}"), "me")
    studio.submit(MusicRequest(prompt="狐狸"), "me")
    desk = visit(url, viewport={"width": width, "height": 860}, locale=language)
    queue = Queue(desk)
    expect(queue.part("now")).to_have_count(4)
    assert found(desk) == []
    assert desk.page.evaluate("document.querySelector('#queue').scrollWidth") <= width
    assert queue.part("now").evaluate_all("rows => rows.every((row) => row.scrollWidth <= row.clientWidth)")
    if language == "zh-CN":
        expect(queue.panel).to_contain_text("进行中与等待中")
        expect(queue.panel).not_to_contain_text("queue.")


def test_hostile_words_are_words(desk: Desk, studio: Studio, gate: Gate) -> None:
    gate.shut()
    words = "<img src=x onerror=document.title='pwned'><b>bold</b> & {count}"
    studio.submit(ImageRequest(prompt=words), "me")
    queue = Queue(desk)
    expect(queue.part("now").locator(".a-queue-title span")).to_have_text(words)
    expect(queue.panel.locator("img, b > b")).to_have_count(0)
    assert desk.page.title() != "pwned"


# ---- other people


def post(url: str, body: Any, cookie: str = "", origin: str = "") -> tuple[int, Any]:
    """What the address of the queue answers: status and JSON."""
    headers = {"Content-Type": "application/json"}
    headers |= {"Cookie": f"atelier_session={cookie}"} if cookie else {}
    headers |= {"Origin": origin} if origin else {}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url.rstrip('/')}/atelier/queue", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


def test_strangers_see_and_steer_their_own_and_hear_of_others_a_number(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, step = Gate(), FakeModel._step

    def held(model: FakeModel, context: Any, done: int, total: int = 0) -> None:
        gate.step(context.job)
        step(model, context, done, total)

    monkeypatch.setattr(FakeModel, "_step", held)
    gate.shut()
    studio, url = serve(demo=True, profile="space", port=free_port("127.0.0.1", 0))
    me, you = "a" * 32, "b" * 32
    try:
        first = studio.submit(ImageRequest(prompt="a secret of mine"), me)
        second = studio.submit(ImageRequest(prompt="a secret of yours"), you)
        _, mine = post(url, {"do": "look"}, me)
        _, yours = post(url, {"do": "look"}, you)
        assert [row["id"] for row in mine["open"]] == [first.id]
        assert [row["title"] for row in yours["open"]] == ["a secret of yours"]
        assert yours["open"][0]["words"] == "1 in front"
        assert "mine" not in json.dumps(yours)
        assert (mine["earlier"], yours["earlier"]) == ([], [])
        for do in ("up", "front", "cancel"):
            assert post(url, {"do": do, "id": first.id}, you)[0] == 422
        assert post(url, {"do": "hold", "id": second.id}, you)[0] == 422, "places are few"
        assert post(url, {"do": "go_on", "ids": [first.id]}, you)[0] == 422
        assert post(url, {"do": "look"}, "c" * 32)[1]["open"] == []
        assert not first.cancelled
        assert post(url, {"do": "cancel", "id": second.id}, you)[0] == 200
        assert second.done
    finally:
        gate.open()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[", b"[]", b"null", b'"look"', b"{}", {"do": "rm"}, {"do": 1}, {"do": ["look"]}, {"do": "up", "id": 3},
        {"do": "up", "id": "../../x"}, {"do": "cancel", "id": "\u0000"}, {"do": "go_on", "ids": "all"},
        {"do": "hold", "id": "x" * 10_000}, b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_the_page_never_sends_is_refused(url: str, studio: Studio, body: Any) -> None:
    assert post(url, body)[0] in (400, 422)


def test_another_site_cannot_steer_it_and_odd_ids_do_nothing(url: str, studio: Studio) -> None:
    assert post(url, {"do": "look"}, origin="https://elsewhere.example")[0] == 403
    assert post(url, {"do": "drop", "ids": [None, 3, {}, "../../x", "/etc/passwd"]})[0] == 200
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url.rstrip('/')}/atelier/queue", timeout=10)
    assert caught.value.code == 405


# ---- after a restart


def test_after_a_restart_what_waited_is_there_and_asks(
    visit: Visit, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, step = Gate(), FakeModel._step

    def held(model: FakeModel, context: Any, done: int, total: int = 0) -> None:
        gate.step(context.job)
        step(model, context, done, total)

    monkeypatch.setattr(FakeModel, "_step", held)
    port = free_port("127.0.0.1", 0)
    studio, url = serve(demo=True, port=port)
    studio.clear()  # as every start does
    gate.shut(1)
    desk = visit(url).go("image").type("the first").run()
    expect(desk.page.locator("#strip-text [data-job]")).to_be_visible()
    for words in WORDS:
        studio.submit(ImageRequest(prompt=words, steps=2), "me")
    queue = Queue(desk)
    queue.press("To the front", "three hills")
    queue.shows("the first", "three hills", "one hill", "two hills")
    desk.page.goto("about:blank")
    studio.close()
    for page in gradio.Blocks.get_instances():
        if page.server_port == port:
            page.close(verbose=False)
    gate.open()

    studio, _ = serve(demo=True, port=port)
    studio.clear()
    desk.page.goto(f"{url}#chat")
    expect(desk.page.locator("[data-queue]")).to_have_text("4 left from before")
    queue = Queue(desk)
    titles = queue.part("earlier").locator(".a-queue-title span")
    expect(titles).to_have_text(["the first", "three hills", "one hill", "two hills"])
    expect(queue.row("the first")).to_contain_text("was running when the studio ended")
    expect(queue.row("one hill")).to_contain_text("waited when the studio ended")
    assert not studio.jobs(), "nothing goes on by itself"
    queue.press("Drop", "one hill")
    expect(titles).to_have_text(["the first", "three hills", "two hills"])
    queue.press("Go on", "three hills")
    expect(titles).to_have_text(["the first", "two hills"])
    queue.panel.get_by_role("button", name="Go on with all").click()
    expect(queue.part("earlier")).to_have_count(0)
    over = queue.part("over").locator(".a-queue-title span")
    expect(over).to_have_text(["two hills", "the first", "three hills"])
    expect(desk.page.locator("[data-queue]")).to_have_text(re.compile("^Queue$"))
    assert [job.snapshot().kind for job in studio.jobs()] == ["done"] * 3
    assert not list((tmp_path / "home" / "queue").rglob("*.waiting"))


@pytest.mark.parametrize("tab", ["image", "music"])
def test_the_next_one_is_added_while_one_runs_and_stop_is_the_first_ones(
    desk: Desk, studio: Studio, gate: Gate, tab: Any
) -> None:
    desk.go(tab).type("the first")
    expect(desk.find("later")).to_be_hidden()
    gate.shut()
    desk.run()
    expect(desk.find("later")).to_be_visible()
    desk.type("the second").find("later").click()
    expect(desk.find("queued")).to_contain_text("In the queue: the second")
    desk.type("the third").field("prompt").press("Control+Shift+Enter")
    expect(desk.find("queued")).to_contain_text("In the queue: the third")
    queue = Queue(desk)
    queue.shows("the first", "the second", "the third")
    queue.panel.get_by_role("button", name="Close").click()
    assert found(desk) == []
    desk.stop()
    gate.open()
    desk.idle()
    desk.until(lambda: all(job.done for job in studio.jobs()))
    assert [(job.title, job.snapshot().kind) for job in studio.jobs()] == [
        ("the first", "cancelled"), ("the second", "done"), ("the third", "done")
    ]  # fmt: skip
    made = {one.recipe["parameters"]["prompt"] for one in studio.library.recent(tab, 2)}
    assert made == {"the second", "the third"}
    expect(desk.page.locator(f"#tab-{tab} .a-lately [data-take]")).not_to_have_count(0)
