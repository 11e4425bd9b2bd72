"""Films that were downloaded, as the browser itself reads them."""

from __future__ import annotations

import base64
from pathlib import Path

from playwright.sync_api import Page

_COUNT = """async (data) => {
    const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
    const shown = new Image();
    shown.src = URL.createObjectURL(new Blob([bytes], { type: "image/gif" }));
    await shown.decode();
    const decoder = new ImageDecoder({ data: bytes, type: "image/gif" });
    await decoder.tracks.ready;
    await decoder.completed;
    const { frameCount } = decoder.tracks.selectedTrack;
    for (let number = 0; number < frameCount; number += 1) (await decoder.decode({ frameIndex: number })).image.close();
    return frameCount;
}"""


def frames(page: Page, file: Path) -> int:
    """How many frames a GIF has that can be shown, every one of them decoded."""
    return page.evaluate(_COUNT, base64.b64encode(file.read_bytes()).decode())
