"""Who asks, who may start something, and what slow work of one person does to the others."""

import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.jobs.plans.single import Single
from studio.library import visitors
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.caption.runs import Desk
from tabs.caption import tab as caption_tab
from tabs.image import tab as image_tab
from tabs.image.source import Drawing
from tabs.shared import identity
from tabs.shared.context import Page
from tabs.shared.identity import PAGE, SESSION
from tabs.shared.presses import Bench, Presses, Shares

A, B = "a" * 32, "b" * 32


def asked(session: str, cookie: str = "", page: str = "", client: str = "198.51.100.1", **headers: str) -> gr.Request:
    """What a handler is told of a request."""
    made = gr.Request(session_hash=session, headers=headers | ({PAGE: page} if page else {}))
    made.kwargs["cookies"] = {SESSION: cookie} if cookie else {}
    forwarded = [(name.encode(), value.encode()) for name, value in headers.items()]
    made.request = None
    return _Scoped(made, {"client": (client, 1), "headers": forwarded})  # type: ignore[return-value]


class _Scoped(SimpleNamespace):
    def __init__(self, made: gr.Request, scope: dict[str, Any]) -> None:
        super().__init__(
            session_hash=made.session_hash, headers=made.kwargs["headers"], cookies=made.kwargs["cookies"],
            request=SimpleNamespace(scope=scope),
        )  # fmt: skip


@pytest.fixture
def page(studio: Studio) -> Page:
    return Page(studio, None)  # type: ignore[arg-type]


def public(settings: Settings, **more: Any) -> Studio:
    return Studio(settings.model_copy(update={"profile": "space", **more}))


# ---- who asks


def test_a_browser_is_its_cookie_a_page_its_header_and_a_program_its_session(page: Page) -> None:
    assert page.who(asked("s", A, B)) == A
    assert page.who(asked("s", page=B)) == page.who(asked("other page", page=B)) == B
    assert page.who(asked("s")) == page.who(asked("s"))
    assert len({page.who(asked("s")), page.who(asked("t")), page.who(asked(A)), A}) == 4
    assert page.who(asked("s", "made up", "made up too")) == page.who(asked("s"))


def test_without_cookies_stop_still_stops(page: Page) -> None:
    request = ChatRequest(messages=(Message("user", "hi"),))
    job = Job("chat", "", plan=Single(request), session=page.who(asked("s")))
    page.studio._runner.register._jobs = {job.id: job}
    page.stop("chat")(asked("t"))
    assert not job.cancelled
    page.stop("chat")(asked("s"))
    assert job.cancelled


@pytest.mark.parametrize(
    ("client", "forwarded", "proxied", "found"),
    [
        ("198.51.100.1", "", False, "198.51.100.1"),
        ("10.0.0.1", "9.9.9.9", True, "9.9.9.9"),
        ("10.0.0.1", "8.8.8.8, 9.9.9.9, 10.1.1.1", True, "9.9.9.9"),  # the first is what the visitor wrote
        ("10.0.0.1", "8.8.8.8", False, "10.0.0.1"),
        ("9.9.9.9", "8.8.8.8", True, "9.9.9.9"),
        ("10.0.0.1", "rubbish, [::1]:3", True, "10.0.0.1"),
        ("2001:4860:1:2:3::1", "", False, "2001:4860:1:2::/64"),
        ("::ffff:9.9.9.9", "", False, "9.9.9.9"),
        ("", "", True, ""),
    ],
)
def test_the_address_is_what_the_last_proxy_saw(client: str, forwarded: str, proxied: bool, found: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"client": (client, 1) if client else None, "headers": headers}
    assert identity.address(scope, proxied) == found


# ---- who may start


def test_a_slow_press_keeps_nobody_else_and_no_other_button_waiting() -> None:
    presses = Presses()
    with presses.of(A, "image") as first, presses.of(A, "image") as again, presses.of(B, "image") as other:
        assert (first, again, other) == (True, False, True)
        with presses.of(A, "chat") as chat:
            assert chat
    with presses.of(A, "image") as later:
        assert later


def test_what_a_press_does_is_done_without_a_lock_that_others_need(page: Page, settings: Settings) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(who: str) -> Job:
        entered.set()
        leave.wait(10)
        raise StudioError("bad_image")

    with public(settings) as studio:
        strange = Page(studio, None)  # type: ignore[arg-type]
        for each in (page, strange):
            entered.clear()
            leave.clear()
            shown = gr.HTML(render=False)
            driven = each.drive("image", slow, lambda *_: {}, shown, asked("s", A))
            thread = threading.Thread(target=list, args=(driven,))
            thread.start()
            assert entered.wait(5)
            started = [each.begin(asked("t", B), lambda who: Job("chat", "", session=who))]
            with each.press(asked("t", B), "image") as free, each.press(asked("s", A), "image") as again:
                assert (free, again) == (True, False)
            leave.set()
            thread.join(5)
            assert started


def test_few_pictures_are_opened_at_once_and_nobody_waits_for_ever() -> None:
    bench = Bench(room=1, patience=0.01)
    with bench.place(), pytest.raises(StudioError) as refused, bench.place():
        pass
    assert refused.value.code == "too_busy"
    with bench.place():
        pass


def test_what_was_sent_is_opened_on_the_bench(page: Page, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(image_tab, "wanted_pictures", lambda *_: pytest.fail("a picture was opened"))
    monkeypatch.setattr(Desk, "of_files", lambda *_: pytest.fail("a file was opened"))
    page.bench = Bench(room=1, patience=0.01)
    many = {
        "trigger": "", "replace": "", "ban": "", "token_limit": "", "mode": "skip", "recursive": False, "dry": True,
        "files": [{"path": str(tmp_path / "a.png")}], "folder": "",
    }  # fmt: skip
    with page.bench.place():
        for start in (
            lambda: image_tab._start(page, {"model": "", "picture": Drawing(b"x")}, A),
            lambda: caption_tab._run(page, many, asked("s")),
        ):
            with pytest.raises(StudioError) as refused:
                start()
            assert refused.value.code == "too_busy"


def test_what_strangers_send_has_room_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(visitors, "ROOM", 100)
    monkeypatch.setattr(visitors, "LOOK_SECONDS", 0.0)
    with public(settings) as studio:
        page = Page(studio, None)  # type: ignore[arg-type]
        page.require_room()
        others = page.captions(asked("other"))._root
        others.mkdir(parents=True)
        (others / "x").write_bytes(bytes(101))
        with pytest.raises(StudioError) as refused:
            page.require_room()
    assert refused.value.code == "strangers_full"


def test_an_address_leaves_room_for_others_and_programs_without_a_name_have_a_small_share() -> None:
    shares, jobs = Shares(places=8, unnamed=2), list[Job]()

    def start(address: str, named: bool) -> bool:
        with suppress(StudioError), shares.of(address, named, jobs) as started:
            jobs.append(Job("chat", ""))
            started.append(jobs[-1])
            return True
        return False

    assert [start("a", False) for _ in range(3)] == [True, True, False]
    assert [start("a", True) for _ in range(5)] == [True] * 4 + [False]  # many people may come from one address
    assert [start("b", False), start("b", True)] == [True, True]  # and yet not take the last places
    jobs[0].finish("done")
    jobs[2].finish("done")
    assert [start("a", True), start("c", True)] == [False, True]
    jobs[3].finish("done")
    jobs[4].finish("done")
    assert [start("a", False), start("a", True), start("a", True)] == [True, True, False]


def test_one_program_without_cookies_leaves_room_for_visitors(settings: Settings) -> None:
    with public(settings, max_queue=8, max_jobs_per_session=3) as studio:
        page = Page(studio, None)  # type: ignore[arg-type]
        register = studio._runner.register

        def submit(request: gr.Request) -> bool:
            def start(who: str) -> Job:
                job = Job("chat", "", session=who)
                register.accept(job)
                return job

            with suppress(StudioError):
                page.begin(request, start)
                return True
            return False

        assert sum(submit(asked(f"page {n}")) for n in range(20)) == 3
        assert sum(submit(asked(f"page {n}", f"{n:032x}")) for n in range(20)) == 3  # two places are for others
        visitor = asked("v", "c" * 32, client="10.0.0.9", **{"x-forwarded-for": "9.9.9.9"})
        assert submit(visitor)
        for job in studio.jobs():
            job.finish("done")
