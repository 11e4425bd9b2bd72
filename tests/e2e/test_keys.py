"""The page without a mouse."""

from playwright.sync_api import expect

from e2e.conftest import Gate
from e2e.desk import TABS, Desk

FOCUSED = """() => {
  const element = document.activeElement;
  const drawn = (style) => style.outlineStyle !== 'none' || style.boxShadow !== 'none';
  const ring = [element, element.closest('.wrap')].some((part) => part && drawn(getComputedStyle(part)));
  const words = element.getAttribute('aria-label') || element.innerText || element.placeholder || element.type;
  return [words.split('\\n')[0].trim(), ring];
}"""


def test_control_enter_runs_and_esc_stops(desk: Desk, gate: Gate) -> None:
    for tab in ("image", "music"):
        gate.shut(after=1)
        desk.go(tab).type("hills")
        desk.page.keyboard.press("Control+Enter")
        expect(desk.progress).to_contain_text("Step")
        expect(desk.find("stop")).to_be_visible()
        desk.page.keyboard.press("Escape")
        desk.idle()
        expect(desk.progress).to_contain_text("Stopped")


def test_enter_sends_a_message_and_shift_enter_breaks_the_line(desk: Desk) -> None:
    desk.field("prompt").press_sequentially("one")
    desk.page.keyboard.press("Shift+Enter")
    desk.page.keyboard.type("two")
    desk.page.keyboard.press("Enter")
    expect(desk.questions).to_have_count(1)
    expect(desk.questions).to_contain_text("one")
    expect(desk.questions).to_contain_text("two")


def test_the_focus_is_never_nowhere(desk: Desk, gate: Gate) -> None:
    desk.go("image").type("hills")
    gate.shut(after=2)
    desk.find("run").focus()
    desk.page.keyboard.press("Enter")
    expect(desk.find("stop")).to_be_focused()
    gate.open()
    expect(desk.pictures).to_have_count(1)
    expect(desk.find("heading").locator("h2")).to_be_focused()


def test_escape_closes_a_list_before_it_stops_a_job(desk: Desk, gate: Gate) -> None:
    gate.shut(after=2)
    desk.go("image").type("hills").run()
    expect(desk.find("stop")).to_be_visible()
    desk.find("model").locator("input").first.click()
    expect(desk.page.get_by_role("option").filter(visible=True).first).to_be_visible()
    desk.page.keyboard.press("Escape")
    expect(desk.page.get_by_role("option").filter(visible=True)).to_have_count(0)
    expect(desk.progress).to_contain_text("Step")
    desk.page.keyboard.press("Escape")
    gate.open()
    expect(desk.progress).to_contain_text("Stopped")


def test_alt_and_a_number_open_a_tab(desk: Desk) -> None:
    for number, tab in enumerate(TABS, 1):
        desk.page.keyboard.press(f"Alt+{number}")
        expect(desk.page.locator(f"#{tab}-model")).to_be_visible()


def test_tab_goes_through_the_page_in_reading_order_and_shows_where_it_is(desk: Desk) -> None:
    desk.page.get_by_role("button", name="Language").focus()
    seen = []
    for _ in range(21):
        words, ring = desk.page.evaluate(FOCUSED)
        assert ring, f"the focus on {words!r} cannot be seen"
        seen.append(words)
        desk.page.keyboard.press("Tab")
    assert seen == [
        "Language: 中文", "Light or dark", "How it works", "Library", "Models", "Chat", "Image", "Music", "Code",
        "Caption", "New conversation", "Search", "Import", "Save all", "Model", "Apache-2.0", "More settings",
        "What is the capital of France?",
        "Write a short poem about the sea.", "Give me three tips for better sleep.", "Write a message",
    ]  # fmt: skip
