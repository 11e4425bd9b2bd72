"""The page's scripts hear of what the server writes in place: Gradio changes attributes of HTML that stands there."""

from __future__ import annotations

import re

from studio.settings import ROOT
from tabs.shell.bundle import FILES, SCRIPTS


def test_every_attribute_that_is_written_here_and_read_there_is_watched() -> None:
    scripts = "\n".join((FILES / name).read_text("utf-8") for name in SCRIPTS)
    names = re.findall(r"\[data-([a-z][\w-]*)", scripts) + re.findall(r"\bdataset\.(\w+)", scripts)
    read = {re.sub(r"[A-Z]", lambda found: "-" + found[0].lower(), name) for name in names}
    ours = "\n".join(file.read_text("utf-8") for file in (ROOT / "tabs").rglob("*.py"))
    written = set(re.findall(r"\bdata-([a-z][a-z0-9-]*)[=\"]", ours))
    told = (FILES / "watch.js").read_text("utf-8").partition("TOLD = [")[2].partition("]")[0]
    watched = set(re.findall(r'"data-([\w-]+)"', told))
    assert len(read & written) > 30
    assert read & written <= watched
