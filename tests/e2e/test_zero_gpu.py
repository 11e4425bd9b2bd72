"""The studio on ZeroGPU: the real package `spaces`, the real app and a process forked off for the card, which is lent
by a stand-in for the device API. Only torch is missing: without CUDA the package cannot patch it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from e2e.conftest import Visit
from e2e.desk import PATIENCE, Desk
from e2e.lender import LAUNCHER, Lender
from e2e.program import Program
from tabs.serve import free_port

VISITOR = "head.eyJ1IjoxfQ.tail"
"""What the platform's proxy adds to each visitor's requests, by which their quota is known."""


@pytest.fixture(scope="module")
def lender() -> Iterator[Lender]:
    with Lender() as running:
        yield running


@pytest.fixture(scope="module")
def zero(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    user = tmp_path_factory.mktemp("zero")
    (user / "cgroup").write_text("0::/somewhere\n")
    environment = {
        "HOME": str(user), "SPACE_ID": "somebody/atelier", "STUDIO_PORT": str(free_port("127.0.0.1", 0)),
        "SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": lender.url,
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(user / "cgroup"), "ZEROGPU_CUDA_DEVICE_NAME": "Lent Card",
        "STUDIO_DEMO": "1", "STUDIO_ZERO_MODELS": "demo-chat, demo-image",
    }  # fmt: skip
    with Program(user / "home", launcher=LAUNCHER, **environment) as running:
        yield running


def desk_of(visit: Visit, zero: Program) -> Desk:
    return visit(zero.url, extra_http_headers={"X-IP-Token": VISITOR})


@pytest.mark.timeout(180)
def test_a_visitors_jobs_are_computed_on_the_card_and_paid_by_their_quota(
    zero: Program, lender: Lender, visit: Visit
) -> None:
    assert lender.paths() == ["/startup-report"], "the package heard that the page opens"
    desk = desk_of(visit, zero)
    desk.ask("Hello there")
    expect(desk.answers.last).to_contain_text("You asked: Hello there", timeout=PATIENCE)
    desk.idle()
    desk.go("image").paint("a red apple")

    first, second = lender.asked()
    assert {first["token"], second["token"]} == {VISITOR}, "it is the visitor's quota, though our own thread calls"
    assert first["durationSeconds"] == "60", "nobody knows yet how long it takes"
    desk.until(lambda: lender.paths().count("/release") == 2)
    assert lender.paths().count("/allow") == 1, "the process of the card is used again"

    desk.go("chat").ask("Once more")
    expect(desk.answers.last).to_contain_text("You asked: Once more", timeout=PATIENCE)
    assert int(lender.asked()[-1]["durationSeconds"]) < 60, "it is known now"
    desk.idle()


@pytest.mark.timeout(180)
def test_stop_ends_the_call_and_keeps_what_was_written(zero: Program, lender: Lender, visit: Visit) -> None:
    before = lender.paths().count("/release")
    desk = desk_of(visit, zero)
    desk.type(" ".join(f"word{number}" for number in range(500))).run()
    expect(desk.answers.last).to_contain_text("word3", timeout=PATIENCE)
    desk.stop().idle()
    expect(desk.answers.last).to_contain_text("word3")
    desk.until(lambda: lender.paths().count("/release") == before + 1)
    desk.ask("And now?")
    expect(desk.answers.last).to_contain_text("You asked: And now?", timeout=PATIENCE)
    desk.idle()


@pytest.mark.timeout(180)
def test_an_empty_quota_is_one_sentence_and_what_needs_no_card_goes_on(
    zero: Program, lender: Lender, visit: Visit
) -> None:
    lender.left = 3
    try:
        desk = desk_of(visit, zero).go("image").type("a house").run()
        expect(desk.error).to_contain_text("There is no quota left", timeout=PATIENCE)
        calls = len(lender.asked())
        desk.go("music").type("a waltz").run()
        expect(desk.takes).to_have_count(1, timeout=PATIENCE)
        assert len(lender.asked()) == calls, "music is played on the processor"
    finally:
        lender.left = 1000


def test_models_that_do_not_fit_together_are_one_sentence_at_the_start(lender: Lender, tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/somewhere\n")
    program = Program(
        tmp_path / "home", launcher=LAUNCHER, HOME=str(tmp_path), SPACE_ID="somebody/atelier", SPACES_ZERO_GPU="1",
        SPACES_ZERO_DEVICE_API_URL=lender.url, ZEROGPU_CUDA_TOTAL_MEMORY="1500000", STUDIO_DEMO="1",
        STUDIO_ZERO_MODELS="demo-chat,demo-image",
    )  # fmt: skip
    said = program.fails()
    assert "need 0.0 GB together" in said, said
    assert "Traceback" not in said, said
