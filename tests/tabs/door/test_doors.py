"""What stands between the network and Gradio: addresses, messages, uploads, streams."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from through import Behind, ask, pieces

from studio.settings import Settings
from tabs.door import bodies, upload_quota
from tabs.door.bodies import Bodies, NewPages
from tabs.door.gate import Gate
from tabs.door.streams import Streams
from tabs.door.upload_quota import Ledger, Quota
from tabs.door.veil import Veil
from tabs.shared.identity import PAGE, SESSION
from tabs.shell.vendor import Vendor

JOIN = "/gradio_api/queue/join"
SPACE = Settings(profile="space", _env_file=None)  # pyright: ignore
HERE = Settings(_env_file=None)  # pyright: ignore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "home" / "cache" / "gradio"
    (place / "ab").mkdir(parents=True)
    (place / "ab" / "a b.png").write_bytes(b"x")
    return place


# ---- addresses


@pytest.mark.parametrize(
    "name",
    [
        "http://192.0.2.1/x", "HTTP://192.0.2.1/x", "https:/192.0.2.1/x", " http://192.0.2.1", "%20http://192.0.2.1",
        "%09http://192.0.2.1", "http%3A//192.0.2.1/x", "http%253A//192.0.2.1/x", "http%25253A%252F%252F192.0.2.1",
        "//192.0.2.1/x", "%2F%2F192.0.2.1/x", "\\\\192.0.2.1\\x", "%5C%5C192.0.2.1", "ftp://192.0.2.1/x", "ws://x/",
        "file:///etc/passwd", "data:text/html,x", "/etc/passwd", "etc/passwd", "../x", "start.py", "/dev/zero", "",
    ],
)  # fmt: skip
def test_the_server_fetches_no_address_and_hands_out_no_other_file(folder: Path, name: str) -> None:
    behind = Behind()
    for way in ("file=", "file/", "FILE=", "proxy=", "file=%66", "custom_component/"):
        for method in ("GET", "HEAD"):
            assert ask(Gate(behind, folder), method, f"/gradio_api/{way}{name}").status_code == 404
    assert behind.paths == []


def test_uploads_and_outputs_are_handed_out(folder: Path) -> None:
    assert ask(Gate(Behind(), folder), "GET", f"/gradio_api/file={folder}/ab/a%20b.png").text == "in"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/process_recording", "/gradio_api/vibe-edit/", "/gradio_api/vibe-code", "/gradio_api/dev/reload",
        "/gradio_api/stream/x", "/gradio_api/runs", "/gradio_api/run-history/buckets", "/gradio_api/openapi.json",
        "/gradio_api/profiling/clear", "/gradio_api/mcp/sse", "/gradio_api/deep_link", "/gradio_api", "/monitoring",
        "/monitoring/summary", "/openapi.json", "/GRADIO_API/file=http://x/", "/gradio_api//file=http://x/",
    ],
)  # fmt: skip
def test_what_the_page_does_not_use_is_not_there(folder: Path, path: str) -> None:
    for method in ("GET", "POST"):
        assert ask(Gate(Behind(), folder), method, path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/config", "/theme.css", "/assets/index.js", "/login", JOIN, "/gradio_api/upload"]
)
def test_what_the_page_uses_is(folder: Path, path: str) -> None:
    assert ask(Gate(Behind(), folder), "GET", path).text == "in"


@pytest.mark.parametrize("path", ["/atelier/nothing.js", "/atelier/", "/atelier/%2e%2e/%2e%2e/app.py"])
def test_what_is_not_there_below_our_own_address_is_not_found(tmp_path: Path, path: str) -> None:
    assert ask(Vendor(Behind(), tmp_path), "GET", path).status_code == 404
    assert ask(Vendor(Behind(), tmp_path), "POST", path).status_code == 405


# ---- messages


def message(*data: Any, session: Any = "s") -> dict[str, Any]:
    return {"data": list(data), "fn_index": 1, "session_hash": session}


@pytest.mark.parametrize("path", [JOIN, "/gradio_api/run/predict", "/gradio_api/call/send", "/gradio_api/api/x/", "/x"])
def test_a_message_that_names_a_file_of_this_machine_arrives_without_it(folder: Path, path: str) -> None:
    behind = Behind()
    door = Bodies(behind, HERE, folder)
    for named in (
        {"path": "/dev/zero"},
        [{"image": {"path": "/etc/passwd"}}],
        {"value": {"path": "http://x/", "meta": 1}},
    ):
        for sent in (message(named), {"x": named}, [named], {"event_data": named}):
            for kind in ("application/json", "text/plain", "", "multipart/form-data; boundary=x"):
                ask(door, "POST", path, content=json.dumps(sent), headers={"content-type": kind})
                arrived = json.dumps(json.loads(behind.bodies.pop()))
                assert not [word for word in ("dev", "etc", "http") if word in arrived]
                assert f'"path": "{folder}/not-uploaded"' in arrived


def test_a_message_that_names_an_upload_arrives_as_it_was(folder: Path) -> None:
    behind = Behind()
    sent = json.dumps(message({"path": f"{folder}/ab/a b.png"}, "ü", {"path": f"{folder}/gone.png"}), indent=3).encode()
    for body in (sent, pieces(sent, 7)):
        assert ask(Bodies(behind, HERE, folder), "POST", JOIN, content=body).text == "in"
    assert behind.bodies == [sent, sent]


@pytest.mark.parametrize("settings", [HERE, SPACE], ids=["home", "space"])
def test_a_message_has_a_length_that_it_may_not_pass(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MOST", 2000)
    monkeypatch.setattr(bodies, "MOST_PUBLIC", 1000)
    most = 1000 if settings.public else 2000
    behind = Behind()
    for extra, status in ((0, 200), (1, 413)):
        sent = b"[]" + b" " * (most - 2 + extra)
        for body in (sent, pieces(sent, 300)):
            answer = ask(Bodies(behind, settings, folder), "POST", JOIN, content=body)
            assert answer.status_code == status
    assert len(behind.bodies) == 2
    chinese = {"accept-language": "zh-CN"}
    assert "最多" in ask(Bodies(behind, settings, folder), "POST", JOIN, content=sent, headers=chinese).json()["detail"]


def test_messages_that_no_page_sends_are_refused(folder: Path) -> None:
    door = Bodies(Behind(), HERE, folder)
    deep = "[" * 100_000 + "]" * 100_000
    assert ask(door, "POST", JOIN, content=deep).status_code == 400
    assert ask(door, "POST", JOIN, json=message(session="s" * 65)).status_code == 400
    assert ask(door, "POST", JOIN, json=message(session={"a": 1})).status_code == 400
    for value in (b"NaN", b"-Infinity", b"1" + b"0" * 400, b"18446744073709551616", b'"\\ud800"', b'"\xed\xa0\x80"'):
        assert ask(door, "POST", JOIN, content=b'{"data": [%s]}' % value).status_code == 400
    for value in (b"18446744073709551615", b'"\\ud83c\\udfa8"', '"🎨한"'.encode(), b"1e308"):
        assert ask(door, "POST", JOIN, content=b'{"data": [%s]}' % value).status_code == 200


def test_what_is_no_message_and_what_nobody_handles_is_refused(folder: Path) -> None:
    async def nobody(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError(99_999)

    behind = Behind()
    assert ask(Bodies(behind, HERE, folder), "POST", JOIN, content=b"\xff\xfe").status_code == 400
    assert ask(Bodies(behind, HERE, folder), "POST", JOIN, content=b"{").status_code == 400
    assert ask(Bodies(behind, HERE, folder), "POST", "/login", content=b"username=a").status_code == 200
    assert behind.paths == ["/login"]
    assert ask(Bodies(nobody, HERE, folder), "POST", JOIN, json=message()).status_code == 400


def test_pieces_of_a_drawing_are_no_larger_than_a_file(folder: Path) -> None:
    small = HERE.model_copy(update={"max_upload_mb": 1})
    for size, status in ((900_000, 200), (1_200_000, 413)):
        files = {"file": ("x", bytes(size))}
        assert (
            ask(Bodies(Behind(), small, folder), "POST", "/gradio_api/component_server", files=files).status_code
            == status
        )


def test_an_address_opens_only_so_many_pages_at_once(folder: Path) -> None:
    pages = NewPages(3, 1000.0)
    assert [pages.take("a", str(n)) for n in range(4)] == [True, True, True, False]
    assert pages.take("a", "0")
    assert pages.take("b", "4")
    door = Bodies(Behind(), SPACE, folder)
    door._pages = NewPages(1, 1000.0)
    assert [ask(door, "POST", JOIN, json=message(session=n)).status_code for n in "aab"] == [200, 200, 429]


# ---- uploads


def upload(folder: Path) -> Starlette:
    """What Gradio does with an upload, by its own function."""
    from gradio.route_utils import upload_fn

    async def take(request: Request) -> JSONResponse:
        try:
            files, _, _ = await upload_fn(request, folder, 10_000_000, None, force_move=False)
        except MultiPartException as error:  # as its route does
            return JSONResponse(error.message, 400)
        return JSONResponse(files)

    return Starlette(routes=[Route("/gradio_api/upload", take, methods=["POST"])])


def send(door: Any, size: int, who: str = "a" * 32, client: str = "192.0.2.1", name: str = "files", **how: Any) -> Any:
    files = {name: ("x.bin", os.urandom(size))}
    headers = {"cookie": f"{SESSION}={who}"} if who else {}
    return ask(door, "POST", "/gradio_api/upload", client, files=files, headers=headers | how)


def stored(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def quotas(folder: Path, limits: tuple[int, int, int] | None, keep_free: int = 0) -> tuple[Quota, Ledger]:
    ledger = Ledger(folder, keep_free, limits)
    return Quota(upload(folder), SPACE, ledger, folder), ledger


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(upload_quota, "_MORE", 0)
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


def test_who_has_their_share_loses_their_own_oldest_upload_and_nobody_elses(uploads: Path) -> None:
    door, ledger = quotas(uploads, (25_000, 500_000, 500_000))
    assert send(door, 9_000, "b" * 32).status_code == 200
    first, *_ = [send(door, 9_000).json() for _ in range(5)]
    assert not Path(first[0]).exists()
    assert 25_000 <= stored(uploads) <= 28_000  # two of this one, one of the other
    assert stored(uploads) <= ledger.total
    answer = send(door, 30_000)
    assert (answer.status_code, "at most" in answer.json()["detail"]) == (413, True)


def test_an_address_and_all_together_have_shares_too(uploads: Path) -> None:
    door, _ = quotas(uploads, (25_000, 40_000, 60_000))
    codes = [send(door, 9_000, f"{n:032x}").status_code for n in range(6)]
    assert codes == [200, 200, 200, 200, 507, 507]
    assert [send(door, 9_000, who * 32, client="198.51.100.7").status_code for who in "def"] == [200, 200, 507]
    assert send(door, 9_000, who="").status_code == 507  # without a cookie it is the address that has them


def test_uploads_leave_the_disk_its_reserve(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [100_000]
    usage = type("usage", (), {"free": property(lambda self: free[0])})
    monkeypatch.setattr(upload_quota.shutil, "disk_usage", lambda place: usage())
    door, ledger = quotas(uploads, None, keep_free=60_000)
    assert send(door, 30_000).status_code == 200
    answer = send(door, 50_000)
    assert (answer.status_code, "60 kB" in answer.json()["detail"]) == (507, True)
    before = stored(uploads)
    free[0] = 59_000  # somebody else wrote meanwhile
    assert send(door, 100).status_code == 507
    assert stored(uploads) == before
    assert ledger.total < 40_000


def test_a_body_that_does_not_say_how_long_it_is_is_counted_as_it_comes(
    uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_quota, "_PIECE", 1000)
    door, ledger = quotas(uploads, (25_000, 500_000, 500_000))
    made = httpx.Request("POST", "http://x/", files={"files": ("x", bytes(60_000))})
    kind = made.headers["content-type"]
    answer = ask(door, "POST", "/gradio_api/upload", content=pieces(made.read(), 500), headers={"content-type": kind})
    assert answer.status_code == 413
    assert (stored(uploads), ledger.total) == (0, 0)


@pytest.mark.parametrize("said", [False, True])
def test_a_disk_that_fills_while_an_upload_comes_ends_it(
    uploads: Path, monkeypatch: pytest.MonkeyPatch, said: bool
) -> None:
    monkeypatch.setattr(upload_quota, "_PIECE", 1000)
    door, ledger = quotas(uploads, None, keep_free=60_000)
    looks = iter([100_000, 90_000, 80_000, *[50_000] * 99])
    monkeypatch.setattr(upload_quota.shutil, "disk_usage", lambda place: type("usage", (), {"free": next(looks)}))
    made = httpx.Request("POST", "http://x/", files={"files": ("x", bytes(20_000))})
    told = {name: made.headers[name] for name in ("content-type", *(["content-length"] if said else []))}
    answer = ask(door, "POST", "/gradio_api/upload", content=pieces(made.read(), 500), headers=told)
    assert answer.status_code == 507
    assert (stored(uploads), ledger.total) == (0, 0)


def test_what_is_no_file_of_a_form_counts_and_goes_away(uploads: Path) -> None:
    door, ledger = quotas(uploads, (25_000, 500_000, 500_000))
    send(door, 9_000, name="other")  # Gradio writes it down and forgets it
    for stray in uploads.glob("tmp*"):
        os.utime(stray, (0, 0))
    ledger.tidy()
    assert stored(uploads) == 0


def test_a_public_studio_forgets_uploads_after_a_while(uploads: Path) -> None:
    ledger = Ledger(uploads, 0, (10**6, 10**6, 10**6), kept=1000.0)
    door = Quota(upload(uploads), SPACE, ledger, uploads)
    send(door, 9_000)
    ledger.tidy()
    assert stored(uploads) == 9_000
    ledger._entries[0].when -= 1001
    ledger.tidy()
    assert (stored(uploads), ledger.total) == (0, 0)


def test_on_a_public_studio_nobody_names_what_another_sent(uploads: Path) -> None:
    door, ledger = quotas(uploads, (10**6, 10**6, 10**6))
    (mine,) = send(door, 100).json()
    behind = Behind()
    judge = Bodies(behind, SPACE, uploads, ledger.theirs)

    def names(**headers: str) -> bool:
        ask(judge, "POST", JOIN, json=message({"path": mine}), headers=headers)
        return mine in behind.bodies.pop().decode()

    assert names(cookie=f"{SESSION}={'a' * 32}")
    assert not names(cookie=f"{SESSION}={'b' * 32}")
    assert not names()
    assert names(**{PAGE: "a" * 32})


# ---- streams


def test_connections_that_do_not_end_are_counted() -> None:
    held, gone = asyncio.Event(), asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        held.set()
        await gone.wait()
        await send({"type": "http.response.body", "body": b""})

    async def run() -> list[int]:
        door = Streams(endless, SPACE, place=2, everybody=3)

        async def get(client: str, path: str = "/gradio_api/heartbeat/x") -> int:
            transport = httpx.ASGITransport(door, client=(client, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
                return (await http.get(path)).status_code

        waiting: list[asyncio.Task[int]] = []
        for client, path in (("a", "/gradio_api/heartbeat/x"), ("a", "/gradio_api/queue/data?session_hash=q")):
            held.clear()
            waiting.append(asyncio.create_task(get(client, path)))
            await held.wait()
        refused = await get("a", "/atelier/live/x.wav")
        held.clear()
        waiting.append(asyncio.create_task(get("b")))
        await held.wait()
        crowded = await get("c")
        gone.set()
        await asyncio.gather(*waiting)
        return [refused, crowded, await get("a")]

    assert asyncio.run(run()) == [429, 429, 200]


def test_a_stream_of_a_page_that_is_not_known_ends_without_a_traceback() -> None:
    async def late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"gone", "more_body": True})
        raise RuntimeError("Caught handled exception, but response already started.") from HTTPException(404)

    assert ask(Streams(late, SPACE), "GET", "/gradio_api/queue/data?session_hash=q").text == "gone"


# ---- what strangers do not read


def test_a_public_studio_never_says_where_it_keeps_things(tmp_path: Path) -> None:
    home = tmp_path / "home of mine"
    told = json.dumps(
        {"path": f"{home}/cache/gradio/x.png", "url": f"http://h/gradio_api/file={home}/cache/gradio/x.png"}
    )
    for kind in ("application/json", "text/event-stream; charset=utf-8", "text/html", "text/plain"):
        answer = ask(Veil(Behind(told.encode(), kind), home), "GET", "/config")
        assert str(tmp_path) not in answer.text
        assert "/studio/cache/gradio/x.png" in answer.text
        assert int(answer.headers["content-length"]) == len(answer.content)
    picture = str(home).encode()
    assert ask(Veil(Behind(picture, "image/png"), home), "GET", "/x").content == picture


def test_what_strangers_send_back_is_understood(tmp_path: Path, folder: Path) -> None:
    home, behind = tmp_path / "home", Behind()
    ask(Veil(behind, home), "GET", "/gradio_api/file=/studio/cache/gradio/ab/a%20b.png")
    assert behind.paths == [f"/gradio_api/file={folder}/ab/a b.png"]
    door = Bodies(behind, SPACE, folder, home=home)
    sent = {"path": "/studio/cache/gradio/ab/a b.png", "url": "http://h/gradio_api/file=/studio/cache/x.png"}
    assert ask(door, "POST", JOIN, json=message(sent, "/studio/words")).status_code == 200
    assert json.loads(behind.bodies[-1])["data"] == [
        {"path": f"{folder}/ab/a b.png", "url": f"http://h/gradio_api/file={home}/cache/x.png"}, "/studio/words"
    ]  # fmt: skip
    for path in ("/studio/models.toml", "/studio/cache/gradio/../../models.toml", "/studio/../etc/passwd"):
        ask(door, "POST", JOIN, json=message({"path": path}))
        assert "not-uploaded" in behind.bodies[-1].decode()
