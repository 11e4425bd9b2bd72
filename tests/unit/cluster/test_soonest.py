"""Where a job goes among workers, and when one more comes or goes: decisions from figures alone."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import until

from studio.catalog.catalog import Catalog
from studio.cluster.scaling import NAME, Bounds, Scaler, Seen, decided
from studio.errors import StudioError
from studio.jobs import soonest
from studio.jobs.line import Entry, Line
from studio.jobs.soonest import Given, Soonest
from studio.manager.backends.ray import actors
from studio.manager.backends.ray import workers as module
from studio.manager.backends.ray.workers import Known
from studio.manager.backends.remote.peers import Has
from studio.paths import Home
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest
from studio.service import Studio
from studio.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
WARM, COLD, FULL = Has(loaded=True, cold=0), Has(cold=2), Has(cold=3)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Any:
    catalog = Catalog.load(Home.at(tmp_path_factory.mktemp("home")), public=False, demo=True)
    return replace(catalog.get("demo-image"), disk_bytes=2_000_000_000)


def choose(
    card: Any, having: dict[str, Has], given: tuple[Given, ...] = (), failed: tuple[str, ...] = (), **seconds: Any
) -> str:
    """`seconds`: worker -> figures of that worker; by default a load of 5 s and a unit of work of 1 s."""
    usual = {f"load {card.id}": 5.0, f"run image {card.id}": 1.0}
    known = {name: Known(models={card.id: has}, seconds=seconds.get(name, usual)) for name, has in having.items()}
    return Soonest(known, having, given, clock=lambda: 100.0).choose(card, "image", 10.0, failed).host


def busy(host: str, seconds: float, model: str = "other", since: float = 100.0) -> Given:
    return Given(host, model, seconds, since)


def test_where_it_is_warm(card: Any) -> None:
    assert choose(card, {"a": COLD, "b": WARM, "c": COLD}) == "b"


def test_where_it_is_warm_although_something_waits_there_for_less_than_a_load_takes(card: Any) -> None:
    assert choose(card, {"a": COLD, "b": WARM}, (busy("b", 4.0),)) == "b"
    assert choose(card, {"a": COLD, "b": WARM}, (busy("b", 7.0),)) == "a"


def test_what_is_on_its_way_into_memory_counts_as_warm(card: Any) -> None:
    assert choose(card, {"a": COLD, "b": COLD}, (busy("b", 2.0, card.id),)) == "b"


def test_no_model_is_made_to_leave_without_need(card: Any) -> None:
    assert choose(card, {"a": FULL, "b": COLD}, (busy("b", 30.0),)) == "b"
    assert choose(card, {"a": FULL, "b": COLD}, (busy("b", 60.0),)) == "a"


def test_where_many_wait_behind_one_more_worker_is_worth_its_load(card: Any) -> None:
    both = {"a": COLD, "b": WARM}
    known = {name: Known(seconds={"load demo-image": 5.0, "run image demo-image": 0.1}) for name in both}
    deciding = Soonest(known, both, (), clock=lambda: 100.0)
    hosts = [deciding.choose(card, "image", 10.0, behind=[10.0] * many).host for many in (0, 4, 6)]
    assert hosts == ["b", "b", "a"]
    everywhere = Soonest(known, {"a": WARM, "b": WARM}, (busy("a", 1.0),), clock=lambda: 100.0)
    assert everywhere.choose(card, "image", 10.0, behind=[10.0] * 50).host == "b"


def test_the_one_that_is_quicker(card: Any) -> None:
    figures = {"load demo-image": 5.0, "run image demo-image": 0.2}
    assert choose(card, {"a": COLD, "b": COLD}, b=figures) == "b"


def test_what_runs_already_is_nearly_done(card: Any) -> None:
    both = {"a": WARM, "b": WARM}
    assert choose(card, both, (busy("a", 20.0, since=81.0), busy("b", 4.0))) == "a"


def test_one_that_failed_is_the_last(card: Any) -> None:
    assert choose(card, {"a": WARM, "b": FULL}, failed=("a",)) == "b"
    assert choose(card, {"a": WARM}, failed=("a",)) == "a", "it may have come back"


def test_files_that_are_there_before_those_that_are_fetched(card: Any) -> None:
    far = Has(here=False)
    assert choose(card, {"a": far, "b": FULL}) == "b"
    assert choose(card, {"a": far, "b": Has(fits=False, cold=4)}) == "a", "where it does not fit is of no use"


def test_a_load_that_takes_no_time_is_a_move_all_the_same(card: Any) -> None:
    figures = {"load demo-image": 0.001, "run image demo-image": 0.01}
    assert choose(card, {"a": COLD, "b": WARM}, (busy("b", soonest.LEAST / 2),), a=figures, b=figures) == "b"


def test_where_all_is_equal_they_are_filled_evenly(card: Any) -> None:
    assert choose(card, {"a": COLD, "b": COLD}, (busy("a", 0.0),)) == "b"


@settings(max_examples=60, deadline=None)
@given(
    colds=st.lists(st.integers(0, 4), min_size=1, max_size=6),
    work=st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1000)), max_size=12),
)
def test_nobody_waits_longer_than_for_any_other(card: Any, colds: list[int], work: list[tuple[int, float]]) -> None:
    """What is chosen is done no later than what any other worker would do."""
    having = {f"w{number}": Has(loaded=cold == 0, fits=cold < 4, cold=cold) for number, cold in enumerate(colds)}
    given_ = tuple(busy(f"w{at % len(colds)}", seconds) for at, seconds in work)
    chosen = choose(card, having, given_)
    deciding = Soonest({}, having, given_, clock=lambda: 100.0)
    loads = {name: deciding.loading(name, card) for name in having}
    waits = {name: sum(one.seconds for one in given_ if one.host == name) for name in having}
    usual = 5.0 / soonest.LOAD  # a load was seen by those that are known
    assert all(
        waits[chosen] + loads[chosen] * usual <= waits[name] + loads[name] + 1e-6 or loads[name] < loads[chosen]
        for name in having
    )


# ---- one more, one less

BOUNDS = Bounds(least=0, most=2, wait=60.0, idle=300.0)


@pytest.mark.parametrize(
    ("seen", "then"),
    [
        (Seen(0, 1, {}), None),
        (Seen(59, 1, {}), None),
        (Seen(61, 1, {}), NAME),
        (Seen(61, 0, {}), NAME),
        (Seen(119, 2, {"more 1": 0.0}), None),
        (Seen(121, 2, {"more 1": 0.0}), NAME),
        (Seen(900, 1, {"more 1": None}), None),
        (Seen(9000, 3, {"more 1": 0.0, "more 2": 0.0}), None),
        (Seen(0, 3, {"more 1": 299.0, "more 2": 0.0}), None),
        (Seen(0, 3, {"more 1": 301.0, "more 2": 500.0}), "more 2"),
        (Seen(5, 3, {"more 1": 301.0, "more 2": 0.0}), None),
    ],
)
def test_workers_come_while_much_waits_and_go_again(seen: Seen, then: str | None) -> None:
    assert decided(BOUNDS, seen) == then


def test_the_fewest_stay() -> None:
    assert decided(replace(BOUNDS, least=1), Seen(0, 0, {})) == NAME
    assert decided(replace(BOUNDS, least=1), Seen(0, 1, {"more 1": 9999.0})) is None


def test_a_scaler_asks_for_workers_and_lets_them_go() -> None:
    class Node:
        def __init__(self) -> None:
            self.names: list[str] = []

        def grow(self, name: str, given: dict[str, Any], gpus: float) -> None:
            assert (given, gpus) == ({"demo": True}, 1.0)
            self.names.append(name)

        def end(self, name: str) -> None:
            self.names.remove(name)

    class Standing:
        seconds, at = 500.0, frozenset[str]()

        def waiting(self) -> float:
            return self.seconds

        def working(self) -> frozenset[str]:
            return self.at

    now, node, standing, workers = [0.0], Node(), Standing(), SimpleNamespace(known={"a": 1})
    studio: Any = SimpleNamespace(standing=standing, peers=SimpleNamespace(workers=workers))
    bounds = Settings(ray_max=2, ray_wait=60, ray_idle=100, ray_gpus=1, _env_file=None)  # pyright: ignore
    scaler = Scaler(bounds, studio, node, {"demo": True}, clock=lambda: now[0])
    scaler.close()
    scaler.look()
    scaler.look()
    assert node.names == ["more 1"], "one is on its way"
    workers.known = {"a": 1, "more 1": 1}
    scaler.look()
    assert node.names == ["more 1", "more 2"]
    workers.known = {"a": 1, "more 1": 1, "more 2": 1}
    standing.seconds, standing.at = 0.0, frozenset({"more 1"})
    now[0] = 90.0
    scaler.look()
    now[0] = 150.0
    standing.at = frozenset()
    scaler.look()
    scaler.look()
    assert node.names == ["more 1", "more 2"], "one came late, the other worked lately"
    now[0] = 195.0
    scaler.look()
    scaler.look()
    assert node.names == []


# ---- a lane of changing size


def test_a_lane_grows_and_shrinks_with_its_workers() -> None:
    line = Line({"cluster": 0})
    for id in "abc":
        line.add(Entry(id, ("", id), lane="cluster"))
    assert line.next() is None
    line.resize("cluster", 2)
    assert {line.next().id, line.next().id} == {"a", "b"}  # pyright: ignore[reportOptionalMemberAccess]
    assert line.next() is None
    line.resize("cluster", 0)
    line.over("a")
    assert line.next() is None
    line.resize("cluster", 2)
    assert line.next().id == "c"  # pyright: ignore[reportOptionalMemberAccess]


# ---- who may


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ({"ray_host": "8.8.8.8"}, "own network"),
        ({"ray_host": "studio.example.org"}, "own network"),
        ({"ray_host": "0.0.0.0"}, "own network"),
        ({"ray_host": "169.254.169.254"}, "own network"),
        ({"ray": True, "profile": "space"}, "STUDIO_PROFILE=space"),
        ({"ray_min": 3, "ray_max": 2}, "STUDIO_RAY_MIN"),
    ],
)
def test_a_cluster_is_of_ones_own_network_and_not_for_strangers(given_: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Settings(**given_, _env_file=None)
    assert Settings(ray_host="192.168.1.20", ray=True, _env_file=None).ray  # pyright: ignore[reportCallIssue]


def test_a_studio_that_asks_for_no_cluster_knows_nothing_of_ray(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['ray'] = None\n"  # whoever imports it fails
        "from pathlib import Path\n"
        "from studio.service import Studio\n"
        "from studio.settings import Settings\n"
        "from studio.requests import ChatRequest\n"
        "from studio.request_parts import Message\n"
        f"home = Path({str(tmp_path)!r})\n"
        "settings = Settings(demo=True, home=home, device='cpu', keep_free_gb=0, _env_file=None)\n"
        "with Studio(settings) as studio:\n"
        "    job = studio.submit(ChatRequest(messages=(Message('user', 'Hello'),)))\n"
        "    print(job.result().text[:9], studio.peers.workers, 'studio.cluster' in sys.modules)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert said.stdout.split("\n")[0] == "You asked None False", said.stderr
    lists = [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-bare.txt")]
    assert not any(re.search(r"^ray\b", text, re.MULTILINE) for text in lists)


# ---- nobody is left


def test_where_workers_do_not_come_back_jobs_hear_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a model that is here are done here; those of one that only workers had say that nobody answers."""
    state = {"models": dict.fromkeys(("demo-image", "demo-chat"), (0, True)), "most": 2}
    there = [True]

    def states(waiting: dict[str, Any], seconds: float) -> dict[str, Any]:
        waiting.clear()
        return {"a": state if there[0] else None}

    monkeypatch.setattr(actors, "names", lambda: ("a",))
    monkeypatch.setattr(actors, "ask_state", lambda name: name)
    monkeypatch.setattr(actors, "states", states)
    monkeypatch.setattr(actors, "begin", lambda *_: (_ for _ in ()).throw(actors.Gone("it died")))
    monkeypatch.setattr(actors, "tell", lambda *_: None)
    monkeypatch.setattr(module, "EVERY", 0.05)
    monkeypatch.setattr(module, "BACK", 0.5)
    monkeypatch.setattr(module, "FIRST", 0.3)
    settings = Settings(demo=True, ray=True, home=tmp_path, device="cpu", keep_free_gb=0, _env_file=None)  # pyright: ignore
    fox = ImageRequest(prompt="a fox", width=64, height=64, steps=1, seed=7)
    with Studio(settings) as studio:
        assert studio.peers.workers is not None
        assert until(lambda: studio.peers.workers.known)  # pyright: ignore[reportOptionalMemberAccess]
        there[0] = False
        jobs = [studio.submit(fox) for _ in range(6)]
        assert until(lambda: all(job.done for job in jobs), 20)
        assert [(job.kind, job.device) for job in jobs] == [("done", "cpu")] * 6
        card = studio.catalog.cards["demo-chat"]
        far = replace(card, starter=False, source=replace(card.source, kind="hub", repo="a/b"))
        object.__setattr__(studio.catalog, "cards", MappingProxyType({**studio.catalog.cards, "demo-chat": far}))
        there[0] = True
        assert until(lambda: studio.peers.workers.known, 5)  # pyright: ignore[reportOptionalMemberAccess]
        job = studio.submit(ChatRequest(messages=(Message("user", "Hello"),)))
        there[0] = False
        with pytest.raises(StudioError) as error:
            job.result()
        assert error.value.code == "remote_gone"
        assert job.snapshot().bytes_total == 0, "nothing is fetched because workers are gone"
