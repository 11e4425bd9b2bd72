"""Proxy variables, whatever they say: clients can be made, and this machine answers without a proxy."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from os import environ

import httpx
import httpx2
import pytest
from file_server import FileServer, serving

from studio import proxies

DEAD = "127.0.0.1:9"
CASES = [
    {"ALL_PROXY": f"socks5://{DEAD}"},
    {"all_proxy": f"socks5h://{DEAD}/"},
    {"ALL_PROXY": f"socks://{DEAD}/"},
    {"ALL_PROXY": f"socks4://{DEAD}"},
    {"ALL_PROXY": "whatever://x"},
    {"ALL_PROXY": "http://[::1"},
    {"HTTP_PROXY": f"http://{DEAD}", "http_proxy": f"http://{DEAD}"},
    {"HTTP_PROXY": DEAD},
    {"HTTPS_PROXY": f"http://{DEAD}"},
    {"ALL_PROXY": f"http://{DEAD}", "NO_PROXY": ""},
    {"ALL_PROXY": f"http://{DEAD}", "NO_PROXY": "example.org", "no_proxy": "other.org"},
    {"ALL_PROXY": f"http://{DEAD}", "NO_PROXY": "*"},
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with serving() as server:
        server.files["/page"] = b"here"
        yield server


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(f"{name}={value}" for name, value in case.items()))
def test_every_library_that_speaks_http_reaches_this_machine(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, case: dict[str, str]
) -> None:
    for name, value in case.items():
        monkeypatch.setenv(name, value)
    for name in ("no_proxy", "NO_PROXY"):  # so that what is set below is taken back afterwards
        monkeypatch.setenv(name, environ.get(name, ""))
    proxies.settle(environ)
    for library in (httpx, httpx2):
        with library.Client() as client:
            assert client.get(f"{server.url}/page").text == "here"
            assert client.get(f"{server.url.replace('127.0.0.1', 'localhost')}/page").text == "here"


def test_what_works_is_left_as_it_was_and_a_second_call_changes_nothing() -> None:
    environment = {"HTTPS_PROXY": "http://user:word@proxy.example:8080", "NO_PROXY": "intranet,.example.org"}
    proxies.settle(environment)
    once = dict(environment)
    proxies.settle(environment)
    assert environment == once
    assert environment["HTTPS_PROXY"] == "http://user:word@proxy.example:8080"
    assert environment["NO_PROXY"] == "intranet,.example.org,localhost,127.0.0.1,::1"


def test_a_socks_proxy_is_used_for_what_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    environment = {"ALL_PROXY": "socks://proxy.example:1080/"}
    proxies.settle(environment)
    assert environment["ALL_PROXY"] == "socks5://proxy.example:1080"


def test_without_the_package_for_socks_the_variable_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    environment = {"ALL_PROXY": "socks5://proxy.example:1080"}
    proxies.settle(environment)
    assert "ALL_PROXY" not in environment


@pytest.mark.parametrize("program", ["import app", "import studio.__main__ as m; m.run()"], ids=["page", "command"])
def test_both_programs_settle_them_before_anything_else(program: str) -> None:
    check = f"import os, sys\nsys.argv = ['studio', '--help']\n{program}\nassert 'gradio' not in sys.modules\n"
    check += "assert os.environ.get('ALL_PROXY', 'socks5').startswith('socks5')\n"
    check += "assert '127.0.0.1' in os.environ['NO_PROXY']"
    line = [sys.executable, "-c", check]
    around = {**environ, "ALL_PROXY": "socks://x:1/", "NO_PROXY": ""}
    assert subprocess.run(line, check=False, env=around).returncode == 0
