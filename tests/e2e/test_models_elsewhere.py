"""A hub that does not answer, in the browser: one press fetches from ModelScope, and it says where files came from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub, serving_hub
from playwright.sync_api import expect

from studio.store import origin
from tests.e2e.conftest import Keep, Serve, Visit
from tests.e2e.test_models_panel import opened, press, row

MINE = '[models.mine]\ntitle = "Mine"\ntasks = ["chat"]\nengine = "text"\nhub = "case/plain"\ndisk = "2 MB"\n'


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models.toml").write_text(MINE)
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"http://{hub.dead}")
        monkeypatch.setattr(origin, "MODELSCOPE_HOST", hub.scope)
        yield hub


@pytest.mark.parametrize(
    ("language", "says", "came"),
    [("en", "does not answer", "from 127.0.0.1"), ("zh-CN", "没有应答", "来自 127.0.0.1")],
)
def test_where_the_hub_does_not_answer_one_press_fetches_from_modelscope(
    hub: FakeHub, serve: Serve, visit: Visit, keep: Keep, language: str, says: str, came: str
) -> None:
    studio, url = serve(device="cpu", prepare=False, keep_free_gb=0)
    desk = opened(visit(url, locale=language))
    press(desk, "mine", "download")
    mine = row(desk, "mine")
    expect(mine).to_have_attribute("data-state", "failed")
    expect(mine).to_contain_text(says)
    mine.scroll_into_view_if_needed()
    keep(desk, f"models-elsewhere-{language}")
    press(desk, "mine", "from_modelscope")
    expect(mine).to_have_attribute("data-state", "disk")
    expect(mine).to_contain_text(came)
    keep(desk, f"models-came-{language}")
    assert origin.chosen(studio.home) == "modelscope"
