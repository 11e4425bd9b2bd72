"""Models that a person brings: named in the panel, or found on the disk, and then in the lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import disk_files
import pytest
from fake_hub import FakeHub, serving_hub
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Keep, Serve, Visit
from tests.e2e.desk import Desk
from tests.e2e.test_models_panel import opened, row


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def adding(desk: Desk) -> Locator:
    part = desk.page.locator(".a-adding")
    part.locator("summary").first.click()
    return part


def test_a_model_is_named_told_added_and_fetched(hub: FakeHub, serve: Serve, visit: Visit, keep: Keep) -> None:
    studio, url = serve(device="cpu", prepare=False, keep_free_gb=0)
    desk = opened(visit(url))
    part = adding(desk)
    name = part.get_by_label("Hub name, address or path")
    for what, refusal in (("case/binonly", "formats that can run code"), ("case/nosuch", "case/nosuch")):
        name.fill(what)
        name.press("Enter")
        expect(part.locator("[role=alert]")).to_contain_text(refusal)
    name.fill(f"{hub.url}/case/plain/tree/main")
    name.press("Enter")
    expect(part.locator(".a-named")).to_contain_text("Chat")
    keep(desk, "models-named")
    part.get_by_role("button", name="Add and download").click()
    expect(row(desk, "plain")).to_have_attribute("data-state", "disk", timeout=30_000)
    expect(part.get_by_role("button", name="Open Chat")).to_be_visible()
    name.fill("case/gated")
    name.press("Enter")
    expect(part.locator("[role=alert]")).to_contain_text("accept its licence")
    keep(desk, "models-token")
    part.get_by_label("Access token").fill("hf_wrong")
    part.get_by_role("button", name="Keep").click()
    expect(part.locator("[role=alert]")).to_contain_text("did not take this access token")
    name.fill(f"{hub.url}/case/plain/tree/main")
    name.press("Enter")
    part.get_by_role("button", name="Add and download").click()
    part.get_by_role("button", name="Open Chat").click()
    expect(desk.page.locator("#models")).to_be_hidden()
    expect(desk.field("model")).to_have_value(re.compile("plain"))
    assert studio.catalog.get("plain").own


def test_a_folder_of_another_program_is_looked_at_and_used(
    serve: Serve, visit: Visit, keep: Keep, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    disk_files.weights(folder / "dreamer.safetensors", disk_files.SD1 | disk_files.VAE | {disk_files.CLIP: (77, 768)})
    (folder / "old.ckpt").write_bytes(b"\x80\x02}q\x00." + bytes(3_000_000))
    _, url = serve(device="cpu", prepare=False, keep_free_gb=0)
    desk = opened(visit(url, locale="zh-CN"))
    part = adding(desk)
    part.get_by_label("文件夹").fill(str(folder))
    part.get_by_role("button", name="查看文件夹").click()
    expect(part.locator(".a-place")).to_contain_text("dreamer")
    part.get_by_text("1 个不能使用").click()
    expect(part.locator(".a-place details")).to_contain_text("old.ckpt")
    keep(desk, "models-folder-zh")
    part.get_by_role("button", name="使用这 1 个").click()
    expect(row(desk, "dreamer")).to_have_attribute("data-state", "disk")
    part.get_by_role("button", name="不再使用").click()
    expect(row(desk, "dreamer")).to_have_count(0)


DROP = """([name, bytes]) => {
    const carried = new DataTransfer();
    if (bytes) carried.items.add(new File([new Uint8Array(bytes)], name));
    else carried.setData("text/uri-list", name);
    document.querySelector("#models").dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true }));
}"""


def test_a_file_or_a_link_is_dropped(
    hub: FakeHub, serve: Serve, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Downloads").mkdir()
    file = tmp_path / "Downloads" / "dreamer.safetensors"
    disk_files.weights(file, disk_files.SD1 | disk_files.VAE | {disk_files.CLIP: (77, 768)})
    _, url = serve(device="cpu", prepare=False, keep_free_gb=0)
    desk = opened(visit(url))
    expect(desk.page.get_by_text("Or drop a file")).to_be_attached()
    desk.page.evaluate(DROP, ["dreamer.safetensors", file.stat().st_size])
    part = desk.page.locator(".a-adding")
    expect(part.locator(".a-named")).to_contain_text("dreamer")
    part.get_by_role("button", name="Add", exact=False).last.click()
    expect(part.get_by_role("button", name="Open Image")).to_be_visible()
    desk.page.evaluate(DROP, ["another.safetensors", 77])
    expect(part.locator("[role=alert]")).to_contain_text("another.safetensors was not found")
    desk.page.evaluate(DROP, [f"{hub.url}/case/plain/tree/main", 0])
    expect(part.get_by_role("button", name="Add and download")).to_be_visible()
