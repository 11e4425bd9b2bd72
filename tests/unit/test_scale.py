"""How many devices some people need, by the queue's own rules: what must be true of every such day."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import scale

KINDS = (
    scale.Kind("chat", 4, 5.0, 6.0, 7.0, at_once=4),
    scale.Kind("image", 6, 8.0, 9.0, 14.0, pause=5),
    scale.Kind("music", 2, 20.0, 6.0, 8.0),
)
PEOPLE, HOURS = 700, 0.1


def told(devices: int, kinds=KINDS, seed: int = 1, **how) -> scale.Told:
    return scale.World(kinds, devices, **how).run(scale.hours_of(kinds, PEOPLE, seed, HOURS))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("strangers", [True, False])
def test_every_job_ends_once_and_none_before_it_came(seed, strangers):
    made = told(2, seed=seed, strangers=strangers)
    assert len({job.id for job in made.jobs}) == len(made.jobs) > 30
    for job in made.jobs:
        assert not job.refused
        assert job.came <= job.began
        assert job.ended == pytest.approx(job.began + job.length)
    assert max(job.ended for job in made.jobs) == made.until


@pytest.mark.parametrize("devices", [1, 2, 5])
def test_no_device_does_more_than_it_can(devices):
    made = told(devices)
    assert 0 < made.used <= 1
    moments = sorted(
        [(job.began, 1, job.kind) for job in made.jobs] + [(job.ended, -1, job.kind) for job in made.jobs],
        key=lambda one: one[:2],
    )
    working: Counter[scale.Kind] = Counter()
    for _, change, kind in moments:
        working[kind] += change
        assert sum(-(-number // kind.at_once) for kind, number in working.items()) <= devices
    # what took place is what was asked for: nothing is made up and nothing is lost
    alone = sum(job.length / job.kind.at_once for job in made.jobs)
    assert made.busy >= alone - 1e-6


def test_with_more_devices_nobody_waits_longer_on_average():
    means = [sum(made.waits) / len(made.waits) for made in map(told, (1, 2, 4, 8))]
    assert means == sorted(means, reverse=True)
    assert means[0] > 10, "one device is busy enough to tell"
    shares = [made.wait(0.95) for made in map(told, (1, 2, 4, 8))]
    assert shares == sorted(shares, reverse=True)


def test_chats_that_are_answered_at_once_share_a_device():
    kinds = (scale.Kind("chat", 6, 20.0, 5.0, 7.0, at_once=8, pause=1),)
    alone = (scale.Kind("chat", 6, 20.0, 5.0, 7.0, at_once=1, pause=1),)
    assert told(1, kinds).wait(0.95) < told(1, alone).wait(0.95) / 2


def test_the_fewest_devices_are_found_and_one_less_does_not_do():
    best = scale.fewest(KINDS, PEOPLE, 15.0, 1, hours=HOURS)
    assert best.wait(0.95) <= 15
    assert best.devices > 1
    assert told(best.devices - 1).wait(0.95) > 15
    assert scale.fewest(KINDS, PEOPLE, 500.0, 1, hours=HOURS).devices <= best.devices


def test_the_same_seed_gives_the_same_hours():
    first, second = told(2), told(2)
    assert [(job.id, job.began) for job in first.jobs] == [(job.id, job.began) for job in second.jobs]
    assert [job.began for job in told(2, seed=2).jobs] != [job.began for job in first.jobs]


def test_people_who_ask_too_often_are_refused_as_in_the_studio():
    kinds = (scale.Kind("chat", 60, 0.1, 1.0, 7.0, pause=0.01),)
    made = told(4, kinds)
    refused = [job for job in made.jobs if job.refused]
    assert refused
    assert all(job.began < 0 for job in refused)
    assert all(job.ended > 0 for job in made.jobs if not job.refused)


def test_a_table_that_a_studio_learned_is_read(tmp_path):
    file = tmp_path / "pace.json"
    file.write_text('{"run chat small": 2.5, "load small": 4.0, "run image big": 1e-6, "load big": 30}')
    chat, image, music = scale.learned(file, KINDS, {"chat": 1.0, "image": 5e6})
    assert (chat.seconds, chat.load) == (2.5, 4.0)
    assert (image.seconds, image.load) == (pytest.approx(5.0), 30)
    assert music == KINDS[2]


def test_the_table_has_a_row_for_each_task_and_one_for_all():
    lines = list(scale.rows(KINDS, 300, 30.0, 1, 24.0, HOURS))
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["chat", "image", "music", "all on the same devices"]
    assert all(line.count("|") == lines[0].count("|") for line in lines)
