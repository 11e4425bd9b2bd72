"""The door: who may talk to the page, and what the page may load."""

import asyncio
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from studio.settings import Settings
from tabs.door.guard import Guard
from tabs.shared.identity import SESSION


async def session(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.cookies.get(SESSION, ""))


def ask(method: str = "GET", host: str = "127.0.0.1:7860", settings: Settings | None = None, **headers: str | bytes):
    """Send one request through the guard."""
    app = Guard(Starlette(routes=[Route("/", session, methods=["GET", "POST"])]), settings or Settings())
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:7860") as client:
            return await client.request(method, "/", headers={"host": host, **named})

    return asyncio.run(send())


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "127.0.0.1"])
def test_this_machine_is_let_in(host):
    assert ask(host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7860",
        "127.0.0.1.evil.example",
        "[bad",
        "",
        "evil.example@127.0.0.1:7860",
        "127.0.0.1:7860.evil.example",
        "127.0.0.1:evil.example",
        "127.0.0.1/",
        "127.0.0.1, evil.example",
        "[::1]x",
    ],
)
def test_a_name_that_was_pointed_at_this_machine_is_not(host):
    assert ask(host=host).status_code == 400


def test_a_name_in_the_settings_is_let_in():
    assert ask(host="Atelier.home:7860", settings=Settings(hosts=("atelier.home",))).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_another_site_cannot_post(headers):
    assert ask("POST", **headers).status_code == 403


def test_another_site_can_link_to_the_page_but_not_read_it():
    assert ask(sec_fetch_site="cross-site", sec_fetch_mode="navigate").status_code == 200
    assert ask(sec_fetch_site="same-site", sec_fetch_mode="cors", origin="http://127.0.0.1:8000").status_code == 403
    assert ask(sec_fetch_site="same-site", sec_fetch_mode="no-cors").status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "http://127.0.0.1:7860"}, {"sec_fetch_site": "same-origin"}], ids=str
)
def test_our_own_page_and_programs_can(headers):
    assert ask("POST", **headers).status_code == 200


def test_behind_a_proxy_the_name_that_people_see_counts():
    space = Settings(profile="space")
    seen = {"host": "10.0.0.3:7860", "x_forwarded_host": "name.example", "settings": space}
    assert ask("POST", origin="https://name.example", **seen).status_code == 200
    assert ask("POST", origin="https://evil.example", **seen).status_code == 403


def test_the_page_may_load_nothing_from_elsewhere():
    policy = ask().headers["content-security-policy"]
    assert "http:" not in policy
    assert "https:" not in policy
    assert "*" not in policy
    assert "img-src 'self' data: blob:" in policy
    assert "connect-src 'self'" in policy


def test_only_a_public_page_can_be_shown_inside_another():
    assert "frame-ancestors 'self'" in ask().headers["content-security-policy"]
    assert "frame-ancestors" not in ask(settings=Settings(profile="space")).headers["content-security-policy"]


def given(answer: httpx.Response) -> str:
    """The cookie that an answer gives."""
    return answer.headers.get("set-cookie", "")


def test_each_browser_gets_a_name_that_nobody_can_guess_or_read():
    first, second = ask(), ask()
    assert re.fullmatch("[0-9a-f]{32}", first.cookies[SESSION])
    assert first.cookies[SESSION] != second.cookies[SESSION]
    assert "HttpOnly; SameSite=Lax" in given(first)


def test_a_name_that_is_only_being_given_out_does_not_count_yet():
    assert ask("POST").text == ""  # a browser that keeps no cookies would be somebody else each time


def test_a_known_browser_keeps_its_name_and_a_made_up_one_does_not():
    assert given(ask(cookie=f"{SESSION}={'a' * 32}")) == ""
    assert given(ask(cookie=f"{SESSION}=../../etc"))


@pytest.mark.parametrize(
    "other", ['prefs={"theme":"dark"}', "x=a b", "k[1]=2", 'q="unclosed', "a:b=1", "theme=dark", "a=é", ";;=;"]
)
def test_cookies_of_other_programs_do_not_hide_ours(other: str):
    for cookies in (f"{other}; {SESSION}={'a' * 32}", f"{SESSION}={'a' * 32}; {other}"):
        assert given(ask(cookie=cookies.encode("latin-1"))) == ""


def test_in_a_frame_of_another_site_the_cookie_is_one_that_browsers_keep():
    space = Settings(profile="space")
    framed = given(ask(settings=space, x_forwarded_proto="https"))
    assert "; SameSite=None; Secure; Partitioned;" in framed
    assert "SameSite=Lax" in given(ask(settings=space))  # without TLS browsers would throw the other away
    assert "SameSite=Lax; Secure;" in given(ask(x_forwarded_proto="https"))


@pytest.mark.parametrize("origin", ["http://[bad", "http://", "//", "http://[::1", "http://\udcff", "x" * 5000])
def test_an_origin_that_is_none_is_another_site(origin: str):
    assert ask("POST", origin=origin.encode("utf-8", "surrogatepass")).status_code == 403
