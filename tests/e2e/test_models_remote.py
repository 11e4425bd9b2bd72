"""Models on other computers, in the browser: that words leave this machine is said before, while and after they do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import expect

from studio.catalog.card import Source
from studio.service import Studio
from tests.e2e.conftest import Keep, Serve, Visit
from tests.e2e.test_models_panel import opened, row

WORDS = {
    "en": ("computed on {}", "Computed on {}: what you write leaves this machine.", "May be computed on {}"),
    "zh-CN": ("在 {} 上运行", "在 {} 上运行：您写的内容会离开这台机器。", "可能在 {} 上运行"),
}


def elsewhere(studio: Studio, address: str) -> None:
    """Pictures have to be painted by a peer; a further model of talk is another studio's."""
    cards = dict(studio.catalog.cards)
    image, chat = cards["demo-image"], cards["demo-chat"]
    cards["demo-image"] = replace(image, starter=False, source=Source("hub", repo="a/b"))
    cards["far-chat"] = replace(
        chat, id="far-chat", title="Far", engine="remote", source=Source("remote", address=address), starter=False,
        options={"speaks": "atelier", "model": "demo-chat"},
    )  # fmt: skip
    object.__setattr__(studio.catalog, "cards", MappingProxyType(cards))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_where_it_is_computed_is_said_before_and_after(
    serve: Serve, visit: Visit, keep: Keep, tmp_path: Path, language: str
) -> None:
    given = {"demo": True, "device": "cpu", "prepare": False, "keep_free_gb": 0}
    _, there = serve(home=tmp_path / "there", **given)
    host = there.removeprefix("http://").rstrip("/")
    studio, url = serve(home=tmp_path / "here", peers=f"http://{host}", **given)
    studio.peers.ask()
    elsewhere(studio, f"http://{host}")
    on, leaves, may = (words.format(host) for words in WORDS[language])

    desk = visit(url, locale=language).go("image")
    about = desk.page.locator("div.a-picker .prose.a-about").filter(visible=True)
    expect(about).to_contain_text(leaves, timeout=20_000)
    expect(desk.page.locator("#image-model input")).to_have_value(re.compile(re.escape(on)))
    about.scroll_into_view_if_needed()
    keep(desk, f"models-remote-picker-{language}")
    desk.paint("a fox")
    expect(desk.details).to_contain_text(on)
    keep(desk, f"models-remote-result-{language}")

    panel = opened(desk)
    expect(row(panel, "far-chat")).to_contain_text(leaves)
    expect(row(panel, "demo-image")).to_contain_text(leaves)
    expect(row(panel, "demo-music")).to_contain_text(may)
    keep(desk, f"models-remote-panel-{language}")
