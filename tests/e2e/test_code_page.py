"""What stands round the editor: candidates, other files, the exact prompt, as one types, a folder, the chat."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import expect

from e2e.conftest import Gate, Keep, Serve, _use
from e2e.desk import Desk
from studio.engines.demo import fake
from studio.i18n import text
from studio.requests import CodeRequest
from studio.service import Studio
from studio.tasks.code.next_edit import window
from tabs.serve import free_port

BEFORE = "def area(r):"


def counted(desk: Desk) -> str:
    return desk.page.locator(".a-choice-count").inner_text()


@pytest.fixture
def several(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An editor with three completions to choose from, of which one breaks the file."""
    endings = ("\n    return 1", "\n    return 2", "\n    return (")
    monkeypatch.setattr(fake, "_completion", lambda request: endings[int(request.seed or 0) % 3])
    desk.go("code").more()
    desk.type("3", "count").type("3", "seed").write(BEFORE)
    desk.run().has_code(BEFORE + endings[0])
    expect(desk.page.locator(".a-choices")).to_be_visible()
    return desk.idle()


def test_completions_are_stepped_through_and_each_says_whether_the_file_is_correct(several: Desk, keep: Keep) -> None:
    keyboard, mark = several.page.keyboard, several.page.locator(".a-choice-mark")
    assert counted(several) == "1 of 3"
    expect(mark).to_have_text("✓ syntax")
    keep(several, "code-choices")
    several.page.locator("#code-editor .cm-content").focus()
    keyboard.press("Alt+]")
    several.has_code(BEFORE + "\n    return 2")
    assert counted(several) == "2 of 3"
    keyboard.press("Alt+]")
    several.has_code(BEFORE + "\n    return (")
    expect(mark).to_have_text("✗ syntax")
    keyboard.press("Alt+]")
    several.has_code(BEFORE + "\n    return 1")
    keyboard.press("Alt+[")
    several.page.get_by_role("button", name="The one before").click()
    assert counted(several) == "2 of 3"
    keyboard.press("Tab")
    several.has_code(BEFORE + "\n    return 2")
    expect(several.page.locator(".a-choices")).to_be_hidden()
    keyboard.press("Control+z")
    several.has_code(BEFORE)


def test_after_a_word_was_kept_only_those_that_begin_so_are_left(several: Desk) -> None:
    several.page.locator("#code-editor .cm-content").focus()
    several.page.keyboard.press("ControlOrMeta+ArrowRight")
    assert counted(several) == "1 of 3"
    several.page.keyboard.press("ControlOrMeta+ArrowRight")  # the 1
    several.has_code(BEFORE + "\n    return 1")
    expect(several.page.locator(".a-choices")).to_be_hidden()


def test_other_files_are_read_named_and_taken_away_one_by_one(desk: Desk, studio: Studio, tmp_path: Path) -> None:
    names = ["shapes.py", "units.py"]
    for name in names:
        (tmp_path / name).write_text(f"# {name}\n")
    desk.go("code").fold("beside")
    desk.find("files").locator("input[type=file]").first.set_input_files([tmp_path / name for name in names])
    expect(desk.find("files")).to_contain_text("units")
    desk.write(BEFORE).run().until(lambda: bool(studio.jobs()))
    asked = desk.idle() and studio.jobs()[-1].request
    assert isinstance(asked, CodeRequest)
    assert [(file.name, file.text) for file in asked.files] == [(name, f"# {name}\n") for name in names]
    desk.find("files").get_by_label("Remove this file").first.click()
    expect(desk.find("files")).not_to_contain_text("shapes")
    desk.page.keyboard.press("Escape")
    desk.page.reload()
    expect(desk.page.locator("html[data-ready~=code] #code-model")).to_be_visible()
    expect(desk.find("files")).to_contain_text("units")
    expect(desk.find("files")).not_to_contain_text("shapes")


def test_the_exact_prompt_is_shown_with_its_length_and_nothing_is_completed(desk: Desk) -> None:
    desk.go("code").write(BEFORE).fold("prompt")
    desk.find("show-prompt").click()
    expect(desk.find("prompt-told")).to_contain_text("1 tokens")
    expect(desk.find("exact").locator("textarea")).to_have_value(BEFORE)
    assert desk.idle().code == BEFORE


def test_it_completes_after_a_pause_in_the_typing(desk: Desk, studio: Studio) -> None:
    desk.go("code").write("")
    desk.find("as-typed").locator("input").check()
    desk.page.locator("#code-editor .cm-content").click()
    desk.page.keyboard.type(BEFORE, delay=15)
    desk.has_code(BEFORE + "\n    return 12")
    assert studio.jobs() == ()
    expect(desk.page.locator("#code-accept")).to_be_visible()
    desk.page.keyboard.press("Escape")
    desk.has_code(BEFORE)
    desk.page.keyboard.type("  # a")
    desk.page.keyboard.press("Home")  # the cursor is elsewhere by then
    desk.page.wait_for_timeout(700)
    assert not desk.page.evaluate("atelier.editor.suggesting() && atelier.editor.typing()")


def test_it_writes_nothing_while_a_job_runs_nor_where_it_is_off(desk: Desk, studio: Studio, gate: Gate) -> None:
    desk.go("code").write(BEFORE)
    desk.page.wait_for_timeout(600)
    assert desk.code == BEFORE
    desk.find("as-typed").locator("input").check()
    gate.shut(after=1)
    job = studio.submit(CodeRequest(prefix="theirs:"), "somebody else")
    desk.page.locator("#code-editor .cm-content").click()
    desk.page.keyboard.press("Control+End")
    desk.page.keyboard.type(" x:")
    desk.page.wait_for_timeout(700)
    assert desk.code == BEFORE + " x:"
    gate.open()
    assert job.result().text
    desk.has_code(BEFORE + " x:\n    return 15")


# A folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "src").mkdir(parents=True)
    (root / "src" / "main.go").write_bytes(b"package main\r\n\r\nfunc f() int {\r\n\treturn 1\r\n}")
    (root / "picture.bin").write_bytes(b"\x89PNG\0\0\1")
    (root / "notes.md").write_text("# Notes\n")
    return root


@pytest.fixture
def opened(desk: Desk, folder: Path) -> Desk:
    """The editor beside a folder, with a file in it."""
    desk.go("code").fold("folder")
    desk.type(str(folder), "root").page.keyboard.press("Enter")
    desk.page.locator("[data-branch=src]").click()
    desk.page.locator("[data-leaf='src/main.go']").click()
    expect(desk.page.locator(".a-file-name")).to_have_text("src/main.go")
    return desk


def typed_at_the_end(desk: Desk, words: str) -> None:
    desk.page.locator("#code-editor .cm-content").click()
    desk.page.keyboard.press("Control+End")
    desk.page.keyboard.type(words)


def test_a_file_is_opened_and_saved_with_its_own_line_ends(opened: Desk, folder: Path, studio: Studio) -> None:
    expect(opened.field("language")).to_have_value("Go")
    expect(opened.page.locator(".a-file-state")).to_have_text("saved")
    typed_at_the_end(opened, " // end")
    expect(opened.page.locator(".a-file-state")).to_have_text("not saved")
    opened.page.keyboard.press("Control+s")
    expect(opened.page.locator(".a-file-state")).to_have_text("saved")
    data = (folder / "src" / "main.go").read_bytes()
    assert data == b"package main\r\n\r\nfunc f() int {\r\n\treturn 1\r\n} // end"
    opened.run().until(lambda: bool(studio.jobs()))
    asked = opened.idle() and studio.jobs()[-1].request
    assert isinstance(asked, CodeRequest)
    assert (asked.path, asked.language) == ("src/main.go", "go")
    opened.page.keyboard.press("Escape")
    for _ in range(20):
        opened.page.keyboard.press("Control+z")
    assert opened.code.startswith("package main")  # undo leads to no other file


def test_what_others_changed_is_told_before_it_is_overwritten(opened: Desk, folder: Path) -> None:
    typed_at_the_end(opened, "x")
    (folder / "src" / "main.go").write_text("theirs\n")
    opened.page.keyboard.press("Control+s")
    question = opened.page.locator(".a-ask")
    expect(question).to_contain_text("changed by somebody else")
    assert (folder / "src" / "main.go").read_text() == "theirs\n"
    question.get_by_role("button", name="Read it again").click()
    opened.has_code("theirs\n")
    typed_at_the_end(opened, "mine")
    opened.page.locator("[data-leaf='notes.md']").click()
    expect(question).to_contain_text("not saved")
    question.get_by_role("button", name="Save").click()
    expect(opened.page.locator(".a-file-name")).to_have_text("notes.md")
    assert (folder / "src" / "main.go").read_text() == "theirs\nmine"


def test_a_file_that_is_no_text_is_refused_in_a_sentence_and_search_finds_a_line(opened: Desk) -> None:
    opened.page.locator("[data-leaf='picture.bin']").click()
    expect(opened.page.locator(".a-ask")).to_contain_text("picture.bin is no text")
    opened.page.locator(".a-tree-search").fill("return")
    opened.page.locator("[data-leaf='src/main.go'][data-line='4']").click()
    expect(opened.page.locator("#code-editor .cm-content")).to_be_focused()
    opened.page.keyboard.press("Home")
    opened.page.keyboard.type("/*here*/ ")
    opened.until(lambda: "/*here*/ return 1" in opened.code)
    assert "/*here*/ return 1" in opened.code


def test_a_new_file_gets_a_name_and_takes_nobodys(opened: Desk, folder: Path) -> None:
    opened.page.get_by_role("button", name="New file").click()
    expect(opened.page.locator(".a-file-name")).to_have_text("Untitled")
    typed_at_the_end(opened, "x = 1")
    opened.page.keyboard.press("Control+s")
    question = opened.page.locator(".a-ask")
    question.locator("input").fill("notes.md")
    opened.page.keyboard.press("Enter")
    expect(question).to_contain_text("notes.md already")
    question.get_by_role("button", name="Cancel").click()
    opened.page.keyboard.press("Escape")
    opened.page.locator("[data-file=save]").click()
    question.locator("input").fill("../out.py")
    question.get_by_role("button", name="Save").click()
    expect(question).to_contain_text("outside the folder")
    question.get_by_role("button", name="Cancel").click()
    opened.page.locator("[data-file=save]").click()
    question.locator("input").fill("lib/new.py")
    question.get_by_role("button", name="Save").click()
    expect(opened.page.locator(".a-file-name")).to_have_text("lib/new.py")
    assert (folder / "lib" / "new.py").read_text() == "x = 1"
    assert (folder / "notes.md").read_text() == "# Notes\n"
    assert not (folder.parent / "out.py").exists()


def post(url: str, what: str, body: Mapping[str, object]) -> tuple[int, str]:
    request = urllib.request.Request(
        f"{url.rstrip('/')}/atelier/{what}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("profile", [{"profile": "space"}, {"profile": "lan", "user": "u", "password": "long enough"}])
def test_no_other_profile_shows_a_disk(serve: Serve, folder: Path, profile: dict[str, str]) -> None:
    _, url = serve(demo=True, port=free_port("127.0.0.1", 0), **profile)
    for what in ("list", "search", "read", "save"):
        message = {"root": str(folder), "file": "notes.md", "text": "x", "stamp": "", "words": "Notes", "folder": ""}
        status, said = post(url, f"project/{what}", message)
        assert status in (401, 422)
        assert "Notes" not in said
    assert (folder / "notes.md").read_text() == "# Notes\n"


# The chat


def test_a_selection_goes_to_the_chat_and_its_code_comes_back_as_a_change(desk: Desk, keep: Keep) -> None:
    desk.go("code").write("import os\n\n\ndef f(a):\n    return a+1\n\n\nprint(f(1))")
    desk.page.evaluate("""() => {
        const view = document.querySelector("#code-editor .cm-content").cmTile?.view
            ?? document.querySelector("#code-editor .cm-content").cmView.rootView.view;
        view.dispatch({ selection: { anchor: 12, head: 36 } });
    }""")
    desk.page.locator("#code-ask-menu").click()
    desk.find("document").click()
    desk.tab = "chat"
    expect(desk.field("prompt")).to_have_value(f"""{text("code.ask_document")}

```python
def f(a):
    return a+1
```""")
    desk.page.evaluate("""atelier.editor.open('def f(a):\\n    "Adds one."\\n    return a + 1\\n', 'python')""")
    change = desk.page.locator(".a-change")
    expect(change.locator("ins")).to_have_count(2)
    expect(change.locator("del")).to_have_count(1)
    keep(desk, "code-change")
    change.get_by_role("button", name="Take it").click()
    desk.has_code('import os\n\n\ndef f(a):\n    "Adds one."\n    return a + 1\n\n\nprint(f(1))')
    expect(change).to_be_hidden()
    desk.page.keyboard.press("Control+z")
    desk.has_code("import os\n\n\ndef f(a):\n    return a+1\n\n\nprint(f(1))")
    desk.page.evaluate("atelier.editor.open('print(2)\\n', 'python')")
    change.get_by_role("button", name="Leave it").click()
    desk.has_code("import os\n\n\ndef f(a):\n    return a+1\n\n\nprint(f(1))")


def test_the_next_edit_is_told_from_the_last_one_and_taken_with_a_press(
    desk: Desk, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[CodeRequest] = []

    def renamed(request: CodeRequest) -> str:
        asked.append(request)
        return window(request.prefix, request.suffix).text.replace("print(one)", "print(two)")

    monkeypatch.setattr(fake, "_next_edit", renamed)
    expect(desk.go("code").find("next-edit")).to_be_hidden()
    cards = dict(studio.catalog.cards)
    cards["demo-code"] = replace(cards["demo-code"], options={"next_edit": True})
    _use(studio, replace(studio.catalog, cards=MappingProxyType(cards)))
    desk.page.reload()
    desk.find("next-edit").click()
    change = desk.page.locator(".a-change")
    expect(change).to_contain_text("Change something first")
    desk.write("one = 1\nprint(one)")
    desk.page.wait_for_timeout(1000)  # this change is over
    desk.page.keyboard.press("Control+Home")
    desk.page.keyboard.press("Shift+ArrowRight")
    desk.page.keyboard.press("Shift+ArrowRight")
    desk.page.keyboard.press("Shift+ArrowRight")
    desk.page.keyboard.type("two")
    desk.find("next-edit").click()
    expect(change.locator("ins")).to_contain_text("print(two)")
    assert (asked[0].edits[0].before, asked[0].edits[0].after) == ("one = 1\nprint(one)", "two = 1\nprint(one)")
    assert studio.jobs() == ()
    change.get_by_role("button", name="Take it").click()
    desk.has_code("two = 1\nprint(two)")
    desk.page.keyboard.press("Control+z")
    desk.has_code("two = 1\nprint(one)")
