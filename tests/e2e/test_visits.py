"""A visitor's conversations on a public studio: kept by their browser, back after a restart, seen by nobody else."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from e2e.conftest import Serve, Visit
from e2e.desk import Desk
from e2e.program import Program
from e2e.test_axe import found
from studio.library import visitors
from studio.service import Studio
from tabs.serve import free_port

READ = """([store, key]) => new Promise((done) => {
    const asked = indexedDB.open("atelier_chats", 1);
    asked.onsuccess = () => {
        const shelf = asked.result.transaction(store).objectStore(store);
        const found = key ? shelf.get(key) : shelf.getAll();
        found.onsuccess = () => { asked.result.close(); done(found.result ?? null); };
    };
})"""
WRITE = """([id, file]) => new Promise((done) => {
    const asked = indexedDB.open("atelier_chats", 1);
    asked.onsuccess = () => {
        const work = asked.result.transaction(["heads", "files"], "readwrite");
        work.objectStore("heads").put({ id, stamp: "x", updated: "2026-01-01", size: 9 }, id);
        work.objectStore("files").put(file, id);
        work.oncomplete = () => { asked.result.close(); done(); };
    };
})"""
BACK = 20_000
"""Milliseconds in which a page is there again with all that its browser had, on a busy machine."""


@pytest.fixture
def space(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Studio, str]:
    """A public studio of stand-ins, and its address."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "space" / "cache" / "gradio"))
    settings = {"home": tmp_path / "space", "port": free_port("127.0.0.1", 0)}
    studio, url = serve(profile="space", demo=True, **settings)
    return studio, url.replace("localhost", "127.0.0.1")


def kept(desk: Desk) -> dict[str, Any]:
    """title -> conversation, as the browser has them."""
    found = {}
    for head in desk.page.evaluate(READ, ["heads", ""]):
        file = desk.page.evaluate(READ, ["files", head["id"]])
        whole = json.loads(file) if file else {}
        found[whole.get("shown_title", "")] = whole | {"id": head["id"]}
    return found


def keeps(desk: Desk, *titles: str) -> None:
    """Wait until the browser has these, and no others."""
    desk.until(lambda: set(kept(desk)) == set(titles))
    assert set(kept(desk)) == set(titles)


def answers(desk: Desk) -> int:
    found = kept(desk)
    return sum(one["role"] == "assistant" for whole in found.values() for one in whole["messages"])


def forget(studio: Studio) -> None:
    """What a restart and the hours do: the studio knows no visitor any more."""
    shutil.rmtree(studio.instance.sessions)


def row(desk: Desk, title: str) -> Locator:
    return desk.page.locator("#chat-list li").filter(has_text=title)


def order(desk: Desk, title: str, what: str) -> None:
    row(desk, title).locator(".a-menu-button").click()
    desk.page.locator(f"#chat-row [data-list-do={what}]").click()


def test_they_survive_a_reload_and_a_restart_with_what_came_along(tmp_path: Path, visit: Visit) -> None:
    port = str(free_port("127.0.0.1", 0))
    settings = {"STUDIO_PROFILE": "space", "STUDIO_DEMO": "1", "STUDIO_PORT": port, "STUDIO_HOST": "127.0.0.1"}
    picture = tmp_path / "cat.png"
    Image.new("RGB", (40, 30), "red").save(picture)
    with Program(tmp_path / "home", **settings) as program:
        url = f"http://127.0.0.1:{port}/"
        desk = visit(url)
        desk.find("files").locator("input[type=file]").first.set_input_files(picture)
        expect(desk.find("files").locator(".file-preview tr")).to_have_count(1)
        desk.ask("Remember the heron")
        desk.begin().ask("Another matter")
        desk.until(lambda: answers(desk) == 2)
        context = desk.page.context
        desk.page.close()
        program.restart()
        assert not list((tmp_path / "home" / "chats").glob("*"))
        back = visit(url, context)
        expect(back.questions).to_have_text(["Another matter"], timeout=BACK)
        expect(back.conversations).to_have_count(2)
        row(back, "Remember the heron").locator(".a-chat-open").click()
        expect(back.questions).to_have_text(["Remember the heron"])
        assert back.page.locator("#chat-said .a-shown").evaluate(
            "image => image.decode().then(() => image.naturalWidth)"
        )
        back.ask("And again")
        stranger = visit(url)
        expect(stranger.conversations).to_have_count(0)
        assert kept(stranger) == {}


def test_everything_that_is_done_with_the_list_reaches_the_browser(space: tuple[Studio, str], visit: Visit) -> None:
    studio, url = space
    desk = visit(url)
    expect(desk.find("kept")).to_contain_text("kept in this browser")
    desk.ask("First thing").begin().ask("Second thing").begin().ask("Third thing")
    keeps(desk, "First thing", "Second thing", "Third thing")
    order(desk, "First thing", "pin")
    desk.until(lambda: kept(desk)["First thing"].get("pinned") is True)
    order(desk, "Second thing", "rename")
    desk.page.locator("#chat-list input").fill("The heron")
    desk.page.keyboard.press("Enter")
    keeps(desk, "First thing", "The heron", "Third thing")
    order(desk, "Third thing", "delete")
    keeps(desk, "First thing", "The heron")
    desk.page.locator("#chat-list-told [data-list-do=restore]").click()
    keeps(desk, "First thing", "The heron", "Third thing")
    order(desk, "Third thing", "delete")
    keeps(desk, "First thing", "The heron")
    forget(studio)
    desk.page.reload()
    expect(desk.conversations).to_have_text(["First thing", "The heron"], timeout=BACK)
    assert kept(desk)["First thing"]["pinned"]
    desk.field("search").fill("heron")
    expect(desk.conversations).to_have_text(["The heron"])
    keeps(desk, "First thing", "The heron")
    desk.field("search").fill("")
    expect(desk.conversations).to_have_count(2)


def test_they_are_written_out_and_read_in(space: tuple[Studio, str], visit: Visit, tmp_path: Path) -> None:
    _, url = space
    desk = visit(url)
    desk.ask("Over the hills")
    with desk.page.expect_download() as saved:
        desk.find("export-all").click()
    file = tmp_path / "all.zip"
    saved.value.save_as(file)
    with zipfile.ZipFile(file) as packed:
        packed.extract(name := packed.namelist()[0], tmp_path)
    other = visit(url)
    other.page.locator("#chat-sidebar input[type=file]").set_input_files(tmp_path / name)
    expect(other.questions).to_have_text(["Over the hills"])
    keeps(other, "Over the hills")


def test_an_answer_that_came_while_the_page_was_closed_is_kept_when_it_opens(
    space: tuple[Studio, str], visit: Visit
) -> None:
    studio, url = space
    desk = visit(url)
    desk.ask("Go on").type("Go on without me").run()
    context = desk.page.context
    desk.until(lambda: len(kept(desk).get("Go on", {}).get("messages", ())) >= 3)
    desk.page.close()
    for job in studio.jobs():
        list(job.events())
    back = visit(url, context)
    expect(back.answers).to_have_count(2, timeout=BACK)
    back.until(lambda: answers(back) == 2)
    forget(studio)
    back.page.reload()
    expect(back.answers).to_have_count(2, timeout=BACK)


def test_the_oldest_go_with_a_word_and_what_is_pinned_stays(
    space: tuple[Studio, str], visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "MOST", 2)
    desk = visit(space[1])
    desk.ask("One")
    order(desk, "One", "pin")
    desk.begin().ask("Two")
    keeps(desk, "One", "Two")
    desk.begin().ask("Three")
    keeps(desk, "One", "Three")
    expect(desk.find("kept")).to_contain_text("1 of the oldest conversations had to go")
    expect(desk.find("kept")).to_contain_text("“Two”")
    assert found(desk) == []
    expect(desk.conversations).to_have_text(["One", "Three"])


def test_one_that_is_too_large_says_so_and_the_others_stay(
    space: tuple[Studio, str], visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, url = space
    monkeypatch.setattr(visitors, "ONE_BYTES", 6000)
    desk = visit(url)
    desk.ask("Small")
    desk.begin().ask("Large " + "word " * 1500)
    expect(desk.find("kept")).to_contain_text("too large to be kept in the browser")
    forget(studio)
    desk.page.reload()
    expect(desk.conversations).to_have_text(["Small"], timeout=BACK)


def test_what_the_browser_brings_back_is_a_strangers(space: tuple[Studio, str], visit: Visit, tmp_path: Path) -> None:
    studio, url = space
    desk = visit(url)
    desk.ask("Real")
    keeps(desk, "Real")
    evil = {
        "format": "atelier-chat/1", "title": "<img src=x onerror=window.hurt=1>\u202e", "updated": "never",
        "extra": [1],
        "messages": [
            {"role": "user", "content": "<script>window.hurt=1</script>", "notes": [["{a:>999999999}", {"a": 1}]],
             "files": [{"name": "../../x.png", "sha256": "0" * 64, "bytes": 3, "picture": True, "data": "AAAA"}]},
            {"role": "assistant", "content": "[x](javascript:window.hurt=1)", "recipe": {"model": {"title": 3}},
             "error": ["{a.__class__}", {"a": "1"}], "finish": "<b>"},
        ],
    }  # fmt: skip
    desk.page.evaluate(WRITE, ["a" * 16, json.dumps(evil)])
    desk.page.evaluate(WRITE, ["b" * 16, "not JSON"])
    desk.page.evaluate(WRITE, ["../../../etc", json.dumps(evil)])
    desk.page.evaluate(WRITE, ["c" * 16, '{"format": "atelier-chat/1", "messages": 3}'])
    forget(studio)
    desk.page.reload()
    expect(desk.conversations).to_have_count(2, timeout=BACK)
    expect(desk.find("kept")).to_contain_text("3 conversations in this browser could not be read")
    desk.conversations.filter(has_text="img").click()
    expect(desk.questions).to_have_text(["<script>window.hurt=1</script>"])
    desk.ask("Still here")
    assert desk.page.evaluate("window.hurt") is None
    folders = list(studio.instance.sessions.iterdir())
    assert [path.name for path in folders[0].glob("*.json")].count("etc.json") == 0
    assert not list(tmp_path.rglob("etc*"))
    desk.until(lambda: len(kept(desk)) == 2)


def test_a_browser_that_keeps_nothing_says_so_and_works(space: tuple[Studio, str], watched: Any) -> None:
    _, url = space
    context = watched.context()
    page = context.new_page()
    page.add_init_script(
        "Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    watched.hosts.add(url.split("/")[2])
    desk = Desk.open(page, url)
    desk.ask("Hello")
    expect(desk.find("kept")).to_contain_text("keeps nothing of this page")


def test_at_home_the_browser_keeps_no_conversations(desk: Desk) -> None:
    desk.ask("Mine")
    expect(desk.find("kept")).to_have_count(0)
    assert (
        desk.page.evaluate("indexedDB.databases().then((all) => all.map((one) => one.name))").count("atelier_chats")
        == 0
    )
    answer = desk.page.request.post(desk.page.url + "atelier/chats", data={"have": {}})
    assert answer.status in (403, 404)
