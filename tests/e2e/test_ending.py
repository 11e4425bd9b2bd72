"""The studio as a program that is ended, the hard way and the polite one, and started again."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx

from tests.e2e.program import Program


def left(home: Path) -> list[str]:
    """Files that nobody finished, and what a page showed."""
    files = [path for path in home.rglob("*") if path.is_file() and "models" not in path.relative_to(home).parts]
    shown = home / "cache" / "gradio"
    return [str(path) for path in files if path.suffix == ".part" or path.is_relative_to(shown)]


def test_a_killed_studio_leaves_nothing_to_the_next_and_sigterm_ends_that_cleanly(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Program(home) as program:
        half = home / "outputs" / "image" / "2026-01-31" / ".a.png.x.part"
        half.parent.mkdir(parents=True)
        half.write_bytes(b"half")
        assert len(left(home)) > 1, "a page shows the pictures of its examples"
        program.end(signal.SIGKILL)
        assert len(left(home)) > 1
        before = set(left(home))
        program.start()
        assert not before & set(left(home))
        assert program.end(signal.SIGTERM) == 0
        assert left(home) == []


def test_the_page_starts_and_answers_whatever_the_proxy_variables_say(tmp_path: Path) -> None:
    dead = "http://127.0.0.1:9"
    proxies = {"ALL_PROXY": "socks://127.0.0.1:9/", "HTTP_PROXY": dead, "http_proxy": dead, "HTTPS_PROXY": dead}
    with Program(tmp_path / "home", STUDIO_DEMO="1", NO_PROXY="", no_proxy="", **proxies) as program:
        assert httpx.get(program.url, trust_env=False).status_code == 200
