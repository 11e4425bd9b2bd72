"""The image tab: what other programs' pictures and enlarged ones bring into the fields, and what is said of them."""

import io
import json
from pathlib import Path

import piexif
import piexif.helper
from PIL import Image, PngImagePlugin
from playwright.sync_api import expect

from e2e.conftest import Visit
from e2e.desk import Desk
from e2e.test_image import asked
from studio.service import Studio

SEED = 1102676403634909
GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {
        "seed": SEED, "steps": 12, "cfg": 5.5, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0], "model": ["4", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "theirs.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 320, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat on a log <b>bold</b>"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry"}},
    "9": {"class_type": "<img src=x onerror=alert(1)>", "inputs": {}},
}  # fmt: skip


def picture(file: Path, **texts: str) -> Path:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (32, 32), (9, 99, 9)).save(file, pnginfo=info)
    return file


def test_a_graph_and_a_long_seed_are_painted_as_they_stand(desk: Desk, studio: Studio, tmp_path: Path) -> None:
    desk.go("image").drop(picture(tmp_path / "theirs.png", prompt=json.dumps(GRAPH)), "prompt")
    said = desk.find("restored")
    expect(said).to_contain_text("written by ComfyUI")
    expect(said).to_contain_text("node: <img src=x")
    expect(desk.field("prompt")).to_have_value("a cat on a log <b>bold</b>")
    expect(desk.field("seed")).to_have_value(str(SEED))
    desk.painted()
    assert (asked(studio).seed, asked(studio).scheduler) == (SEED, "Euler")
    expect(desk.details).to_contain_text(str(SEED))


def test_an_avif_is_read(desk: Desk, tmp_path: Path) -> None:
    text = "a tree\nNegative prompt: grass\nSteps: 12, Sampler: Euler a, CFG scale: 7, Seed: 968002204, Size: 256x256"
    out = io.BytesIO()
    told = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: piexif.helper.UserComment.dump(text, "unicode")}})
    Image.new("RGB", (32, 32)).save(out, "AVIF", exif=told)
    (tmp_path / "x.avif").write_bytes(out.getvalue())
    desk.go("image").drop(tmp_path / "x.avif", "prompt")
    expect(desk.field("seed")).to_have_value("968002204")
    expect(desk.field("prompt")).to_have_value("a tree")


def test_an_enlarged_picture_gives_its_painting_back_and_is_found_later(desk: Desk, tmp_path: Path) -> None:
    desk.go("image").type("31", "seed").paint("an old mill")
    before = desk.pictures.first.get_attribute("src") or ""
    desk.press("Upscale ×2")
    expect(desk.pictures.first).not_to_have_attribute("src", before)
    expect(desk.details).to_contain_text("an old mill")
    expect(desk.details).to_contain_text("enlarged ×2")
    big = tmp_path / "big.png"
    big.write_bytes(desk.bytes_of(desk.pictures.first))
    desk.type("something new").type("", "seed")
    desk.press("Use seed")
    expect(desk.field("seed")).to_have_value("31")
    desk.type("", "seed").drop(big, "prompt")
    expect(desk.find("restored")).to_contain_text("enlarged ×2 by Demo upscaler")
    expect(desk.field("prompt")).to_have_value("an old mill")
    expect(desk.field("seed")).to_have_value("31")
    desk.type("something new").type("", "seed").fold("recent")
    small = desk.find("recent-gallery").locator("img")
    expect(small.nth(1)).to_be_visible()
    small.first.click()
    desk.find("recent-restore").click()
    expect(desk.field("prompt")).to_have_value("an old mill")


def test_what_cannot_be_read_is_named_and_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.go("image").type("keep me").type("5", "seed")
    desk.drop(picture(tmp_path / "w.png", workflow='{"nodes": [], "links": []}'), "prompt")
    said = desk.find("restored")
    expect(said).to_contain_text("made with ComfyUI")
    expect(said).not_to_contain_text("damaged")
    expect(desk.field("prompt")).to_have_value("keep me")
    desk.drop(picture(tmp_path / "p.png", parameters="Steps: 12, Sampler: Euler, CFG scale: 7, Seed: -7"), "prompt")
    expect(said).to_contain_text("seed: -7")
    expect(said).to_contain_text("no prompt; yours stays")
    expect(desk.field("prompt")).to_have_value("keep me")
    expect(desk.field("steps")).to_have_value("12")


def test_it_is_said_in_chinese_too(visit: Visit, url: str, tmp_path: Path) -> None:
    desk = visit(url, locale="zh-CN").go("image")
    desk.drop(picture(tmp_path / "theirs.png", prompt=json.dumps(GRAPH)), "prompt")
    expect(desk.find("restored")).to_contain_text("来自 ComfyUI")
