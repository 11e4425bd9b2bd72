"""What each profile allows, in one table, and every address at which a studio answers, as a stranger meets it.

An address that is new, or open where it was shut, is not in tests/data/addresses.json and fails here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio
import httpx
import pytest
from starlette.routing import BaseRoute, Route

from studio.api.app import surfaces
from studio.api.submitting import Desk
from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import ROOT, Settings
from tabs import serve
from tabs.door import adaptation_pictures, library_desk
from tabs.door.answering import ANSWERS
from tabs.door.bodies import Bodies
from tabs.door.upload_quota import Ledger
from tabs.doors import doors
from tabs.page import build
from tabs.shared import audio_stream

DATA = Path(__file__).resolve().parents[2] / "data" / "addresses.json"
PROFILES = ("local", "lan", "space")
ASKED = ("", "/about", "/small", "/file", "/space", "/chains", "/chain", "/do")
"""What lies below the library's address."""
OWN = [
    *(("POST", path) for path in ANSWERS),
    *(("POST" if name == "/do" else "GET", library_desk.ADDRESS + name) for name in ASKED),
    ("GET", adaptation_pictures.ADDRESS),
    ("POST", "/mcp"),
    ("GET", f"{audio_stream.PREFIX}x.wav"),
]


@dataclass
class Open:
    """A studio of one profile, open at a port of its own."""

    studio: Studio
    url: str
    page: gradio.Blocks
    folder: Path


@pytest.fixture(scope="module")
def studios(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Open]]:
    found: dict[str, Open] = {}
    with pytest.MonkeyPatch.context() as patch:
        for profile in PROFILES:
            settings = Settings(  # pyright: ignore[reportCallIssue]
                demo=True, home=tmp_path_factory.mktemp(profile), device="cpu", keep_free_gb=0, profile=profile,
                password="a long sentence" if profile == "lan" else "", port=serve.free_port("127.0.0.1", 0), mcp=True,
            )  # fmt: skip
            studio, pages = Studio(settings), list[gradio.Blocks]()
            patch.setenv("GRADIO_TEMP_DIR", str(studio.instance.shown))
            patch.setattr(serve, "build", lambda *how, pages=pages: pages.append(build(*how)) or pages[-1])
            found[profile] = Open(studio, serve.open_page(studio), pages[0], studio.instance.shown)
        yield found
        gradio.close_all(verbose=False)
        for one in found.values():
            one.studio.close()


# ---- what is allowed


def _refused(act: Callable[[], object]) -> str:
    """The code of the error that something ends in; "" for none."""
    try:
        act()
    except StudioError as error:
        return error.code
    return ""


def _shares(one: Open) -> tuple[int, ...] | None:
    largest = one.studio.settings.max_upload_mb * 1_000_000
    known = Ledger.of(one.studio.settings, one.folder)._limits
    return None if known is None else tuple(share // largest for share in known)


def _worst(one: Open) -> str:
    return _refused(
        lambda: one.studio.submit(ImageRequest(prompt="a naked child", width=64, height=64, steps=1), "you")
    )


def _prompts(one: Open) -> bool:
    one.studio.submit(ImageRequest(prompt="a quiet lake", width=64, height=64, steps=1), "me").result()
    return bool(one.studio.prompts())


def _doors(one: Open) -> list[str]:
    ledger = Ledger.of(one.studio.settings, one.folder)
    return [door.cls.__name__ for door in doors(one.studio, ledger, one.folder)]  # pyright: ignore[reportAttributeAccessIssue]


TABLE: dict[str, tuple[Callable[[Open], Any], tuple[Any, Any, Any]]] = {
    "closed list of models": (lambda one: one.studio.settings.public, (False, False, True)),
    "what was made is found again": (lambda one: one.studio.archive is not None, (True, True, False)),
    "the queue outlives a restart": (lambda one: one.studio._runner.durable is not None, (True, False, False)),
    "turns by seconds, one at work each": (lambda one: one.studio._runner.turns._line._strangers, (False, True, True)),
    "jobs open, each": (lambda one: one.studio._runner.register.most, (8, 8, 4)),
    "jobs in a while are bounded": (lambda one: one.studio._runner.register._rates is not None, (False, True, True)),
    "seconds a job may work": (lambda one: one.studio._runner.register.longest, (math.inf, math.inf, 300.0)),
    "largest files a person, an address, all": (_shares, (None, (64, 128, 256), (8, 16, 64))),
    "bytes of a message": (
        lambda one: Bodies(lambda *_: None, one.studio.settings, one.folder)._most,  # pyright: ignore
        (16_000_000, 16_000_000, 1_000_000),
    ),
    "words are refused": (_worst, ("", "", "refused_request")),
    "earlier prompts": (_prompts, (True, True, False)),
    "another's model can be deleted": (
        lambda one: _refused(lambda: one.studio.models.unload("demo-chat")),
        ("", "", "not_for_public"),
    ),
    "paths of the machine are veiled": (lambda one: _doors(one).count("Veil"), (0, 0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("row", TABLE)
def test_the_table_of_what_is_allowed(studios: dict[str, Open], row: str) -> None:
    look, expected = TABLE[row]
    assert tuple(look(studios[profile]) for profile in PROFILES) == expected


# ---- every address


@pytest.fixture(scope="module")
def heard(studios: dict[str, Open]) -> dict[str, dict[str, int]]:
    """By profile: address -> the status that a stranger hears."""
    return {profile: _addresses(studios[profile]) for profile in PROFILES}


def test_every_address_and_what_a_stranger_hears_there(
    studios: dict[str, Open], heard: dict[str, dict[str, int]]
) -> None:
    found = {profile: {"addresses": heard[profile], "names": _names(studios[profile])} for profile in PROFILES}
    assert found == json.loads(DATA.read_text("utf-8"))


def test_nothing_that_a_stranger_may_not_have_is_answered(heard: dict[str, dict[str, int]]) -> None:
    """Beside the list, so that nobody writes an open door into it by mistake."""
    for address, status in heard["lan"].items():
        if re.match(
            r"\w+ /(v1|sdapi|controlnet|infill|props|mcp|metrics|atelier/(library|queue|chats|sketch))", address
        ):
            told = address in ("GET /v1/health", "GET /health")  # that it lives
            assert told or status in (401, 403, 404, 405), f"{address} without a password"
    for address, status in heard["space"].items():
        if re.match(r"\w+ /(sdapi|controlnet|infill|props|mcp|metrics|v1/(chat|images|models|jobs))", address):
            assert status >= 400, f"{address} without a key"


def _addresses(one: Open) -> dict[str, int]:
    """Each method and path, and the status of an empty request by somebody without cookie, password and key."""
    app: Any = one.page.app
    asked = [*_routes(app.routes), *_routes(surfaces(Desk(one.studio)).routes), *OWN]
    assert {("POST", "/gradio_api/upload"), ("POST", "/v1/chat/completions")} <= set(asked), "all of them are found"
    found: dict[str, int] = {}
    with httpx.Client(base_url=one.url, timeout=20) as client:
        for method, path in sorted(set(asked)):
            filled = re.sub(r"\{[^}]*\}", "x", path)
            with client.stream(method, filled, headers={"host": httpx.URL(one.url).netloc.decode()}) as answer:
                client.cookies.clear()
                found[f"{method} {path}"] = answer.status_code
    return found


def _names(one: Open) -> list[str]:
    """What programs may call by name."""
    said: Any = one.page.config
    return sorted(event["api_name"] for event in said["dependencies"] if event["api_visibility"] == "public")


def _routes(routes: list[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, before + route.path
        elif (inner := getattr(route, "original_router", None)) is not None:  # FastAPI's own, of a router in a router
            yield from _routes(inner.routes, before + route.include_context.prefix)  # pyright: ignore


# ---- the document


def test_each_boundary_of_the_document_names_its_tests_and_they_exist() -> None:
    said = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = [line for line in said.partition("## Boundaries")[2].partition("\n## ")[0].splitlines() if "`test_" in line]
    written = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^\s*(?:async )?def (test_\w+)\(", written, re.MULTILINE))
    assert len(rows) > 40
    for row in rows:
        boundary, keeper, tests = (cell.strip() for cell in row.strip("|").split(" | "))
        assert set(re.findall(r"`(test_\w+)`", tests)) <= there, boundary
        for place in re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py)?)`", keeper):
            assert (ROOT / place).exists(), f"{boundary}: {place}"
