"""Whether a faster way pays: only for models that stay, and where that is to be found out, only as measured."""

import json

import pytest

from studio.devices.device import Device
from studio.manager.faster import Judge

CARD, CPU = Device("cuda", 0, "A card"), Device("cpu", 0, "A processor")


def ask(judge: Judge, device: Device = CARD, stays: bool = True, shape: str = "512x512") -> bool:
    return judge.pays("painter", device, shape, stays=stays)


def run(judge: Judge, plain: float, fast: float, runs: int, shape: str = "512x512") -> list[bool]:
    """What the judge says before each of so many runs."""
    said = []
    for _ in range(runs):
        said.append(ask(judge, shape=shape))
        judge.took("painter", CARD, shape, said[-1], fast if said[-1] else plain)
    return said


def test_off_is_off():
    judge = Judge("off")
    assert not any(run(judge, 1.0, 0.1, 10))


@pytest.mark.parametrize("mode", ["off", "auto", "on"])
def test_a_model_that_may_leave_is_never_made_faster(mode):
    judge = Judge(mode)
    run(judge, 1.0, 0.5, 6)
    assert not ask(judge, stays=False)


def test_both_ways_are_timed_and_the_quicker_one_stays():
    judge = Judge("auto")
    # two plain ones, one that compiles, two fast ones; then it is known
    assert run(judge, 1.0, 0.5, 8) == [False, False, True, True, True, True, True, True]


def test_what_is_no_faster_is_left():
    assert run(Judge("auto"), 1.0, 0.97, 8) == [False, False, True, True, True, False, False, False]


def test_the_run_that_compiles_does_not_count():
    judge = Judge("auto")
    run(judge, 1.0, 0.5, 2)
    judge.took("painter", CARD, "512x512", True, 90.0)
    judge.took("painter", CARD, "512x512", True, 0.5)
    judge.took("painter", CARD, "512x512", True, 0.5)
    assert ask(judge)


def test_each_shape_is_a_question_of_its_own():
    judge = Judge("auto")
    run(judge, 1.0, 0.97, 6)
    assert not ask(judge)
    assert run(judge, 1.0, 0.5, 4, shape="1024x1024")[-1]


def test_on_a_processor_it_is_never_tried_by_itself():
    judge = Judge("auto")
    for _ in range(6):
        assert not ask(judge, CPU)
        judge.took("painter", CPU, "512x512", False, 1.0)
    assert ask(Judge("on"), CPU)


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_what_does_not_work_is_not_tried_again(mode, tmp_path):
    file = tmp_path / "faster.json"
    judge = Judge(mode, file)
    run(judge, 1.0, 0.5, 2)
    assert ask(judge)
    judge.failed("painter", CARD, "512x512")
    assert not ask(judge)
    assert not ask(Judge(mode, file)), "not after a restart either"


def test_what_was_measured_outlives_the_studio_but_not_another_torch(tmp_path, monkeypatch):
    file = tmp_path / "faster.json"
    run(Judge("auto", file), 1.0, 0.5, 6)
    assert ask(Judge("auto", file))
    assert all(value > 0 for value in json.loads(file.read_text()).values())
    monkeypatch.setattr("studio.manager.faster.metadata.version", lambda _: "99.0")
    assert not ask(Judge("auto", file)), "another torch is measured anew"


def test_what_a_model_asks_follows_its_pin():
    pinned = [False]
    worth = Judge("on").of("painter", CARD, lambda: pinned[0])
    assert not worth.pays("512x512")
    pinned[0] = True
    assert worth.pays("512x512")
    worth.failed("512x512")
    assert not worth.pays("512x512")
