"""The real app with its starter models: a conversation, a completion, pictures, a piece, captions."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from e2e.conftest import Keep, Visit
from e2e.desk import PATIENCE
from e2e.program import Program

ICONS = Path(__file__).parent.parent / "data" / "caption"

GROWTH = """() => {
  const lengths = [];
  new MutationObserver(() => {
    const answer = [...document.querySelectorAll("#chat-talk .bot-row .prose")].at(-1);
    if (answer && answer.innerText.length !== lengths.at(-1)) lengths.push(answer.innerText.length);
  }).observe(document.querySelector("#chat-talk"), {childList: true, subtree: true, characterData: true});
  window.lengths = lengths;
}"""


def test_it_names_paris_answers_a_follow_up_and_remembers_after_a_restart(program: Program, visit: Visit) -> None:
    desk = visit(program.url).more().type("0", "temperature").type("64", "max-tokens")
    desk.page.evaluate(GROWTH)
    desk.ask("What is the capital of France?")
    expect(desk.answers.last).to_contain_text("Paris")
    desk.ask("What language do people speak there?")
    expect(desk.answers.last).to_contain_text("French")
    desk.ask("Give me three tips for better sleep.")
    lengths = desk.page.evaluate("window.lengths")
    assert len(lengths) > 4, "the answer came in one piece"
    said = desk.answers.all_inner_texts()

    context = desk.page.context
    desk.page.close()
    expect(visit(program.url, context).answers).to_have_text(said)
    program.restart()
    after = visit(program.url)
    expect(after.answers).to_have_text(said)
    after.more().type("0", "temperature").ask("What is the capital of France?")
    expect(after.answers.last).to_contain_text("Paris")


def test_code_appears_at_the_cursor_and_tab_keeps_it(program: Program, visit: Visit) -> None:
    desk = visit(program.url).go("code").more().type("0", "temperature").type("24", "max-tokens")
    before = 'def add(a, b):\n    """Return the sum of a and b."""\n    '
    desk.write(before).run()
    expect(desk.page.locator("#code-accept")).to_be_visible(timeout=PATIENCE)
    desk.idle()
    desk.until(lambda: desk.code != before)
    suggestion = desk.code.removeprefix(before)
    assert suggestion.startswith("return a + b")
    assert "```" not in suggestion
    assert desk.page.evaluate("getSelection().toString()").strip() == suggestion.strip()
    desk.page.keyboard.press("Tab")
    expect(desk.page.locator("#code-accept")).to_be_hidden()
    desk.page.keyboard.type("  # mine")
    assert desk.code == before + suggestion + "  # mine"


def test_pictures_are_painted_and_found_again(
    program: Program, visit: Visit, keep: Keep, pytestconfig: pytest.Config
) -> None:
    count = 4 if pytestconfig.getoption("--screenshots") else 2
    desk = visit(program.url).go("image")
    desk.type(str(count), "count").type("11", "seed").paint("a purple butterfly, glossy 3d", count)
    expect(desk.details).to_contain_text("Icons")
    expect(desk.find("tokens")).to_contain_text("of 22 tokens")
    keep(desk, "image-starter-en-light-1440")
    before = desk.bytes_of(desk.pictures.first)
    context = desk.page.context
    desk.page.close()
    again = visit(program.url, context).go("image")
    expect(again.pictures).to_have_count(count)
    assert again.bytes_of(again.pictures.first) == before


def test_a_piece_is_composed_with_its_notes(program: Program, visit: Visit, keep: Keep) -> None:
    desk = visit(program.url).go("music")
    desk.more().type("3", "seed").more().type("A lively Irish jig in D major, flute and guitar, 16 bars")
    expect(desk.find("reading")).to_contain_text("jig · D major · 6/8")
    desk.run()
    expect(desk.takes).to_have_count(1, timeout=30_000)
    with desk.page.expect_download() as download:
        desk.order("mid")
    assert download.value.path().read_bytes().startswith(b"MThd")
    desk.takes.get_by_role("button", name="Notes").click()
    assert desk.takes.locator(".a-view[data-view=roll] rect").count() > 100
    keep(desk, "music-starter-en-light-1440")
    desk.takes.get_by_role("button", name="Score").click()
    expect(desk.takes.locator(".a-sheet svg .abcjs-note").first).to_be_visible()
    assert desk.takes.locator(".a-sheet svg .abcjs-bar").count() >= 16
    keep(desk, "music-score-en-light-1440")
    desk.takes.get_by_role("button", name="Waveform").click()
    desk.takes.get_by_role("slider").click(position={"x": 300, "y": 40})
    desk.order("on")
    expect(desk.find("restored")).to_contain_text("Keeps the first")
    expect(desk.field("melody")).not_to_have_value("")
    desk.run()
    expect(desk.takes).to_have_count(2, timeout=30_000)
    assert desk.error.count() == 0


def test_a_prompt_is_read_in_the_language_of_the_page(program: Program, visit: Visit) -> None:
    desk = visit(program.url, locale="zh-CN").go("music").type("欢快的吉格，D大调，长笛和吉他，十六小节，夜晚的雨")
    expect(desk.find("reading")).to_contain_text("吉格舞曲 · D 大调 · 6/8")
    expect(desk.find("reading")).to_contain_text("长笛、吉他")
    expect(desk.find("reading")).to_contain_text("夜晚的雨")


def test_an_icon_of_an_unknown_hand_is_named_in_both_languages(program: Program, visit: Visit, keep: Keep) -> None:
    desk = visit(program.url).go("caption").more()
    desk.find("image").locator("input[type=file]").set_input_files(ICONS / "12-rainbow.png")
    expect(desk.find("image").locator("img")).to_be_visible()
    desk.type("3", "seed").run()
    expect(desk.find("details")).to_contain_text("Observer", timeout=PATIENCE)
    assert "rainbow" in desk.field("text").input_value()
    desk.idle().more()
    keep(desk, "caption-starter-en-light-1440")
    desk.more().type("中文", "question").run()
    expect(desk.field("text")).to_have_value(re.compile("彩虹"), timeout=PATIENCE)
