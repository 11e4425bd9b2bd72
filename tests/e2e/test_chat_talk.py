"""What is written is seen whole, and an answer stays in its own conversation, whatever else is opened meanwhile."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest
from playwright.sync_api import expect

from e2e.conftest import Gate, Visit
from e2e.desk import Desk
from studio.service import Studio
from studio.tasks.chat.conversation import Chat, Entry
from tabs.code.tab import EXAMPLE

TEXTS = [
    "Use List<String> and more text after it.", "if a<b and c>d then go on with it",
    "#include <stdio.h> comes first, then main", "Type <your name> here and press OK",
    "<?php echo 1 ?> then text", "vector<int> v;\nint main() {}", "def __init__(self): self.x = 2*3*4",
    "use <think> tag please", "It ends with </think> here", "<details><summary>S</summary>body</details> after",
    "email me <a@b.com> ok", "JSX: <MyButton onClick={go}>Hi</MyButton> rest of it",
    'HTML: <input type="text"> rest', "a regex \\(\\d+\\) and C:\\[temp\\]", "مرحبا بالعالم 123 hello 你好",
    "<script>window.__p=1</script> ${window.__p=2} {{constructor}}",
]  # fmt: skip
SEEN = """selector => [...document.querySelectorAll(selector)].map((part) => part.innerText.trim())"""


def stored(studio: Studio, *words: str, **more: object) -> Chat:
    entries = tuple(Entry(("user", "assistant")[i % 2], word) for i, word in enumerate(words))  # type: ignore[arg-type]
    return studio.chats.save(replace(studio.chats.new(), messages=entries, **more))  # type: ignore[arg-type]


def test_every_character_is_visible_in_questions_and_in_answers(studio: Studio, visit: Visit, url: str) -> None:
    stored(studio, *[each for words in TEXTS for each in (words, words)])
    desk = visit(url)
    expect(desk.questions).to_have_count(len(TEXTS))
    for side in ("user", "bot"):
        assert desk.page.evaluate(SEEN, f"#chat-talk .{side}-row .prose") == TEXTS
    assert desk.page.evaluate("window.__p") is None


def test_every_character_is_visible_while_it_is_written(
    desk: Desk, pace: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(0.02)
    whole = "\n\n".join(TEXTS)
    monkeypatch.setattr("studio.engines.demo.fake._answer", lambda request: whole)
    desk.page.evaluate("""() => { window.__seen = []; new MutationObserver(() => {
        window.__seen.push(document.querySelector("#chat-live .prose")?.innerText ?? "");
    }).observe(document.body, {subtree: true, childList: true, characterData: true}); }""")
    desk.ask("  # as typed\n\n\tand __so__ on  ")
    assert desk.page.evaluate(SEEN, "#chat-talk .bot-row .prose") == [whole]
    assert desk.page.evaluate("document.querySelector('#chat-talk .user-row .prose').textContent") == (
        "  # as typed\n\n\tand __so__ on  "
    )
    pieces = [piece.split() for piece in desk.page.evaluate("window.__seen") if len(piece) > 20]
    assert pieces
    assert all(whole.split()[: len(piece) - 1] == piece[:-1] for piece in pieces)
    assert desk.page.evaluate("window.__p") is None


def test_markdown_formulas_code_and_thoughts_are_drawn(studio: Studio, visit: Visit, url: str) -> None:
    answer = (
        "<think>\nhm, four\n</think>\n**Four**\n\n$$\\frac{1}{2}$$\n\n|a|b|\n|-|-|\n|1|2|\n\n```python\nx = 1 < 2\n```"
    )
    stored(studio, "| a |\n|---|", answer)
    desk = visit(url)
    row = desk.page.locator("#chat-talk .bot-row")
    for part in ("strong", "math mfrac", "table td", "pre code span"):
        expect(row.locator(part).first).to_be_visible()
    expect(row.get_by_text("hm, four")).to_be_hidden()
    row.locator("summary").click()
    expect(row.get_by_text("hm, four")).to_be_visible()
    expect(desk.questions).to_have_text(["| a |\n|---|"])


def test_a_thought_is_ended_and_the_answer_asked_for(
    desk: Desk, studio: Studio, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.engines.demo.fake._answer", lambda _: "<think>\nlet me see and see and see")
    gate.shut(after=3)
    desk.type("How many?").run()
    now = desk.page.get_by_role("button", name="Answer now")
    expect(now).to_be_visible()
    monkeypatch.setattr("studio.engines.demo.fake._answer", lambda request: f"{request.opening}Four.")
    now.click()
    gate.open()
    expect(desk.answers.last).to_contain_text("Four.")
    expect(now).to_be_hidden()
    desk.idle()
    kept = studio.chats.load(studio.chats.list()[0].id).messages[-1].content
    assert kept.startswith("<think>\nlet me")
    assert kept.endswith("\n</think>\n\nFour.")


def test_code_in_an_answer_goes_to_the_editor_with_its_language(studio: Studio, visit: Visit, url: str) -> None:
    stored(studio, "code?", "```js\nlet x = 1 < 2;\n```")
    desk = visit(url)
    desk.page.get_by_role("button", name="To Code").click()
    desk.tab = "code"
    desk.has_code("let x = 1 < 2;")
    expect(desk.field("language")).to_have_value("JavaScript")
    desk.page.keyboard.press("ControlOrMeta+z")
    desk.has_code(EXAMPLE)


def test_an_answer_goes_on_in_its_own_conversation(desk: Desk, studio: Studio, gate: Gate) -> None:
    desk.ask("apples")
    gate.shut(after=6)
    desk.begin()
    desk.type("pears").run()
    expect(desk.answers.last).to_contain_text("You asked")
    desk.conversations.filter(has_text="apples").click()
    expect(desk.questions).to_have_text(["apples"])
    expect(desk.find("run")).to_be_visible()
    desk.type("more apples").run()
    expect(desk.questions).to_have_text(["apples", "more apples"])
    gate.open()
    expect(desk.answers.last).to_contain_text("turn 2")
    desk.idle()
    desk.conversations.filter(has_text="pears").click()
    expect(desk.questions).to_have_text(["pears"])
    expect(desk.answers).to_have_count(1)
    expect(desk.answers.last).to_contain_text("turn 1 of our conversation.")
    titles = {info.title: [e.role[0] for e in studio.chats.load(info.id).messages] for info in studio.chats.list()}
    assert titles == {"apples": ["u", "a", "u", "a"], "pears": ["u", "a"]}


def test_enter_while_an_answer_is_written_keeps_the_text_and_says_why(desk: Desk, studio: Studio, gate: Gate) -> None:
    gate.shut(after=6)
    desk.type("first").run()
    expect(desk.answers.last).to_contain_text("You asked")
    desk.type("second")
    desk.field("prompt").press("Enter")
    expect(desk.find("notice").get_by_role("alert")).to_contain_text("still being written")
    expect(desk.field("prompt")).to_have_value("second")
    desk.stop().idle()
    desk.field("prompt").press("Enter")
    expect(desk.questions).to_have_text(["first", "second"])
    desk.stop().idle()
    desk.until(lambda: all(job.done for job in studio.jobs()))
    messages = studio.chats.load(studio.chats.list()[0].id).messages
    assert [entry.role for entry in messages][:3] == ["user", "assistant", "user"]


def test_each_conversation_keeps_its_own_settings(desk: Desk, studio: Studio, visit: Visit, url: str) -> None:
    desk.more().type("Be brief.", "system").type("0.2", "temperature").ask("with a prompt")
    desk.begin()
    expect(desk.field("system")).to_have_value("")
    expect(desk.field("temperature")).to_have_value("")
    desk.ask("without one")
    back = visit(url, desk.page.context)
    expect(back.questions).to_have_text(["without one"])
    expect(back.field("system")).to_have_value("")
    back.ask("still without")
    back.conversations.filter(has_text="with a prompt").click()
    expect(back.field("system")).to_have_value("Be brief.")
    expect(back.field("temperature")).to_have_value("0.2")
    kept = {chat.title: studio.chats.load(chat.id) for chat in studio.chats.list()}
    assert {title: chat.system for title, chat in kept.items()} == {"with a prompt": "Be brief.", "without one": ""}
    assert kept["with a prompt"].parameters == {"temperature": 0.2}


def test_each_conversation_keeps_its_model(studio: Studio, visit: Visit, url: str) -> None:
    card = studio.catalog.get("demo-chat")
    two = {**studio.catalog.cards, "demo-other": replace(card, id="demo-other", title="Other chat")}
    studio.catalog = studio._intake._catalog = studio.models._catalog = replace(
        studio.catalog, cards=MappingProxyType(two)
    )
    stored(studio, "asked the first", "yes", model="demo-chat")
    stored(studio, "asked the other", "yes", model="demo-other")
    desk = visit(url, locale="zh-CN")
    model = desk.find("model").locator("input")
    expect(model).to_have_value(re.compile(r"Other chat.*可用"))
    expect(desk.page.locator(".a-about").first).to_contain_text("虚构")
    desk.conversations.filter(has_text="first").click()
    expect(model).to_have_value(re.compile(r"演示聊天模型.*可用"))
    desk.conversations.filter(has_text="other").click()
    expect(model).to_have_value(re.compile("Other chat"))
    desk.type("again").run()
    expect(desk.answers).to_have_count(2)
    desk.until(lambda: studio.jobs()[-1].done)
    assert studio.jobs()[-1].model == "demo-other"


def test_a_model_that_is_not_here_is_named_and_another_answers(studio: Studio, visit: Visit, url: str) -> None:
    stored(studio, "hello", "hi", model="a-model-of-old")
    desk = visit(url)
    expect(desk.find("notice")).to_contain_text("a-model-of-old, which is not on this machine")
    desk.ask("and now?")
    expect(desk.page.locator("#chat-talk .a-message-notes").last).to_contain_text("a-model-of-old")
    desk.page.reload()
    expect(desk.page.locator("#chat-talk .a-message-notes").last).to_contain_text("a-model-of-old")
    assert studio.chats.load(studio.chats.list()[0].id).model == "demo-chat"


def test_what_cannot_be_read_is_told_and_the_list_is_whole(studio: Studio, visit: Visit, url: str) -> None:
    half = {"format": "atelier-chat/1", "shown_title": "Half", "updated": "2099-01-01T00:00:00+00:00", "title": "Half"}
    half |= {"messages": [{"role": "user", "content": "bad \ud800 half"}]}
    for id, content in (("00000000000000b1", '{"format": "atelier'), ("00000000000000b2", json.dumps(half, indent=2))):
        (studio.home.chats / f"{id}.json").write_text(content)
    for number in range(120):
        stored(studio, f"number {number}", "yes")
    try:
        desk = visit(url)
        expect(desk.questions).to_have_text(["number 119"])
        said = desk.page.locator("#chat-list-count")
        expect(said).to_contain_text("100 of 120 conversations")
        expect(said).to_contain_text("00000000000000b1.json.damaged")
        expect(said).to_contain_text("00000000000000b2.json.damaged")
        expect(desk.conversations).to_have_count(100)
        desk.page.get_by_role("button", name="Show more").click()
        expect(desk.conversations).to_have_count(120)
        expect(desk.page.get_by_role("button", name="Show more")).to_be_hidden()
        desk.type("number 117", "search")
        expect(desk.conversations).to_have_text(["number 117"])
    finally:
        for file in studio.home.chats.glob("*.damaged"):
            file.unlink()
