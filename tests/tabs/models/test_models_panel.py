"""The panel of models without a browser: every state, the bars, what left and why, and who may do what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from studio.catalog.card import Source
from studio.devices import memory, peak_memory
from studio.devices.device import Device
from studio.errors import StudioError
from studio.i18n import table
from studio.jobs.job import Job
from studio.manager import ManagerStatus, Resident
from studio.manager.types import Cooling, Departure
from studio.results import Update
from studio.service import Studio
from studio.settings import Settings
from studio.status import Lent, ModelInfo, Status
from tabs.models import memory_bars, model_row
from tabs.models.memory_bars import Shares, shares
from tabs.models.model_row import Entry
from tabs.models.models_panel import Panel
from tabs.shared.context import Page
from tabs.shared.identity import SESSION
from tabs.shell import status

NOW, GB = 1_000_000.0, 1_000_000_000
THERE = Resident("m", "ready", 4 * GB, None, 0, False, False, 90.0, 30.0)
STATUS = ManagerStatus(Device("cpu"), (), 12 * GB, 0, 0, 16 * GB, 10 * GB, 0, 0, (), (), None)


@pytest.fixture
def info(studio: Studio) -> ModelInfo:
    card = replace(
        studio.models.list("image")[0].card, id="m", title="A <b>model</b>", source=Source("hub", repo="a/b"),
        disk_bytes=3 * GB, memory_bytes=4 * GB, licence="MIT", starter=False,
    )  # fmt: skip
    return ModelInfo(card, "ready", False, True, 3 * GB)


def update(kind: str, **fields: Any) -> Update:
    return Update("j", 1, kind, **fields)  # type: ignore[arg-type]


HERE = {"state": "ready", "disk_bytes": 3 * GB}
CASES: dict[str, tuple[dict[str, Any], Update | None, str, tuple[str, ...]]] = {
    "absent": ({"state": "absent", "disk_bytes": 0}, None, "3.0 GB to download", ("download",)),
    "partial": ({"state": "partial", "disk_bytes": GB}, None, "1.0 GB on disk", ("resume", "ask")),
    "downloading": (
        {"state": "partial", "disk_bytes": GB},
        update("downloading", bytes_done=GB, bytes_total=3 * GB, bytes_per_second=5e6, seconds_left=400.0),
        "1.0 GB of 3.0 GB</span><span>5 MB/s</span><span>7 min left", ("cancel",),
    ),
    "disk": (HERE, None, "On disk", ("use", "load", "ask")),
    "queued": (HERE, update("queued", position=2), "Waiting, 2 in front", ("cancel",)),
    "loading": ({"resident": replace(THERE, state="loading")}, None, "45 %", ()),
    "ready": ({"resident": THERE}, None, 'frees in <time data-until="1000090">', ("use", "unload", "pin", "ask")),
    "working": (
        {"resident": replace(THERE, in_use=True, work=GB)}, None, "1.0 GB kept", ("use", "unload", "pin", "ask"),
    ),
    "leaving": ({"resident": replace(THERE, in_use=True, leaving=True)}, None, "when its work is done", ()),
    "parking": ({"resident": replace(THERE, state="parking")}, None, "being parked", ()),
    "parked_state": (
        {"resident": replace(THERE, state="parked", host=GB)}, None, "1.0 GB held",
        ("use", "bring_back", "unload", "pin", "ask"),
    ),
    "placing": ({"resident": replace(THERE, state="placing")}, None, "Comes back", ()),
    "unloading": ({"resident": replace(THERE, state="unloading")}, None, "Leaves memory", ()),
    "broken": ({"resident": replace(THERE, state="broken")}, None, "counted until a restart", ()),
    "failed": ({"cooling": Cooling("m", "it is <i>torn</i>", 20.0)}, None, "it is &lt;i&gt;torn", ("again", "ask")),
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("state", CASES)
def test_each_state_says_what_it_is_and_offers_what_makes_sense(info: ModelInfo, state: str, language: str) -> None:
    changes, job, words, does = CASES[state]
    entry = Entry(replace(info, **changes), job, update("loading", fraction=0.45))
    drawn = model_row.draw(entry, language, NOW, True)
    assert entry.state == state
    assert model_row.actions(entry) == does
    assert [f'data-do="{action}"' in drawn for action in does] == [True] * len(does)
    assert "<b>model" not in drawn
    assert "models." not in drawn
    if language == "en":
        assert words in drawn


@pytest.mark.parametrize("changes", [{}, {"resident": THERE}, {"state": "absent"}])
def test_a_model_without_files_has_nothing_to_be_done_about_it(info: ModelInfo, changes: dict[str, Any]) -> None:
    bare = replace(info.card, engine="resample", source=Source("bundled"), disk_bytes=0, memory_bytes=0)
    entry = Entry(replace(info, card=bare, disk_bytes=0, **changes))
    assert model_row.actions(entry) == ()
    drawn = model_row.draw(entry, "en", NOW, True)
    assert "Nothing to download" in drawn
    assert "in memory" not in drawn
    assert "data-do" not in drawn.replace('data-do="licence"', "")


def test_what_cannot_be_done_with_a_model_without_files_is_refused(studio: Studio) -> None:
    cards = {id: replace(card, engine="resample") for id, card in studio.catalog.cards.items()}
    object.__setattr__(studio.catalog, "cards", cards)
    for order in (
        studio.models.load,
        studio.models.download,
        studio.models.delete,
        lambda model: studio.models.pin(model, True),
    ):
        with pytest.raises(StudioError) as refused:
            order("demo-upscale")
        assert refused.value.code == "no_files"


def test_a_pinned_model_can_be_let_go_and_one_that_parks_says_so(info: ModelInfo) -> None:
    pinned = Entry(replace(info, resident=replace(THERE, pinned=True, seconds_left=None)))
    assert model_row.actions(pinned)[2] == "unpin"
    drawn = model_row.draw(Entry(replace(info, resident=replace(THERE, parks=True))), "en", NOW, True)
    assert "parks in" in drawn


def test_a_job_that_failed_says_why_and_what_next(info: ModelInfo) -> None:
    error = StudioError("does_not_fit", model="m", needed="4 GB", capacity="2 GB")
    entry = Entry(info, update("failed", error=error))
    assert entry.state == "failed"
    assert "this machine can give 2 GB. Pick a smaller model" in model_row.draw(entry, "en", NOW, True)


@pytest.mark.parametrize(
    ("code", "host", "does"),
    [
        ("hub_unreachable", "huggingface.co", ("again", "from_modelscope", "from_mirror", "ask")),
        ("hub_busy", "hf-mirror.com", ("again", "from_modelscope", "from_hub", "ask")),
        ("hub_broken", "modelscope.cn", ("again", "from_hub", "from_mirror", "ask")),
        ("not_on_modelscope", "", ("again", "from_hub", "from_mirror", "ask")),
        ("version_gone", "", ("again", "newest", "ask")),
        ("no_space", "", ("again", "ask")),
    ],
)
def test_a_download_that_failed_offers_the_other_places(
    info: ModelInfo, code: str, host: str, does: tuple[str, ...]
) -> None:
    error = StudioError(
        code, model="m", host=host, repo="a/b", version="1", minutes=2, status=403,
        needed="1 GB", free="0", kept="0", path="p",
    )  # fmt: skip
    entry = Entry(info, update("failed", error=error))
    assert model_row.actions(entry) == does
    for language in ("en", "zh-CN"):
        drawn = model_row.draw(entry, language, NOW, True)
        assert all(f'data-do="{action}"' in drawn for action in does)
        assert "models." not in drawn


def test_a_row_says_that_a_server_is_waited_for_where_files_came_from_and_who_else_uses_them(info: ModelInfo) -> None:
    busy = update("downloading", bytes_done=GB, bytes_total=3 * GB, wait=12.0, noted="token_refused")
    drawn = model_row.draw(Entry(info, busy), "en", NOW, True)
    assert "going on in 12 s" in drawn
    assert "refused your access token" in drawn
    shared = model_row.draw(Entry(replace(info, elsewhere=True, came="modelscope.cn")), "en", NOW, True)
    assert "from modelscope.cn" in shared
    assert "Other programs that use it there would fetch it again" in shared


def test_a_row_says_how_much_of_a_model_on_the_disk_is_its_copy(info: ModelInfo) -> None:
    shown = model_row.draw(Entry(replace(info, copy_bytes=2 * GB)), "en", NOW, True)
    assert "3.0 GB on disk</span><span>2.0 GB of it a copy" in shown
    assert "a copy" not in model_row.draw(Entry(info), "en", NOW, True)


def test_a_variant_has_a_row_while_it_is_in_memory_and_leaves_the_files_alone(studio: Studio, info: ModelInfo) -> None:
    card = replace(info.card, id="m@int8", title="A model · int8")
    asleep = ModelInfo(card, "ready", False, True, 3 * GB)
    awake = replace(asleep, resident=THERE)
    shown = panel(studio)
    assert [one.info.card.id for one in shown.entries([replace(info, variants=(asleep,))])] == ["m"]
    model, variant = shown.entries([replace(info, variants=(awake,))])
    assert (model.state, variant.state) == ("disk", "ready")
    assert model_row.actions(variant) == ("use", "unload", "pin")


def test_a_model_that_does_not_fit_names_the_variant_that_would(info: ModelInfo) -> None:
    small = ModelInfo(replace(info.card, id="m@int8"), "ready", False, True, 0)
    drawn = model_row.draw(Entry(replace(info, fits=False, variants=(small,))), "en", NOW, True)
    assert "8" in drawn.partition("more than is free now")[2].partition("would fit")[0]


def test_what_came_with_the_studio_cannot_be_deleted(info: ModelInfo) -> None:
    bundled = replace(info, card=replace(info.card, source=Source("bundled", path="x")))
    assert model_row.actions(Entry(bundled)) == ("use", "load")


def test_what_does_not_fit_is_not_offered_for_loading(info: ModelInfo) -> None:
    large = Entry(replace(info, fits=False))
    assert "load" not in model_row.actions(large)
    assert "needs 4.0 GB of memory" in model_row.draw(large, "en", NOW, True)


@pytest.mark.parametrize(
    ("ago", "words"), [(5, "used just now"), (130, "used 2 min ago"), (7300, "used 2 h ago"), (200_000, "used 2 d ago")]
)
def test_a_row_says_when_a_model_was_last_used(info: ModelInfo, ago: float, words: str) -> None:
    assert words in model_row.draw(Entry(replace(info, last_used=NOW - ago)), "en", NOW, True)


# ---- memory


def test_the_parts_of_a_bar_add_up() -> None:
    device = replace(STATUS, charged=5 * GB, work=GB)
    assert shares(device, Status((device,), (), 0, private=4 * GB)) == Shares(4 * GB, 0, GB, 0, 2 * GB, 16 * GB)
    assert shares(device, Status((device,), (), 0, private=4 * GB)).free == 9 * GB


def test_weights_mapped_from_a_file_are_not_taken_from_what_others_use() -> None:
    device = replace(STATUS, charged=8 * GB)
    assert shares(device, Status((device,), (), 0, private=GB)).others == 5 * GB


def test_what_the_studio_holds_beside_models_and_work_is_its_own_part_of_the_bar() -> None:
    device = replace(STATUS, charged=3 * GB, work=GB)
    whole = Status((device,), (), 0, private=5 * GB)
    assert shares(device, whole) == Shares(2 * GB, 0, GB, 2 * GB, GB, 16 * GB)
    mapped = replace(device, models=(replace(THERE, nbytes=2 * GB, host=0),))  # no file backs the rest of the 5 GB
    assert shares(mapped, replace(whole, devices=(mapped,))) == Shares(2 * GB, 0, GB, 4 * GB, GB, 16 * GB)
    drawn = memory_bars.draw(whole, "en", False)
    assert "The studio itself <b>2.0 GB" in drawn
    assert "2.0 GB the studio itself, 1.0 GB others" in drawn
    assert "The studio itself" not in memory_bars.draw(replace(whole, private=0), "en", False)


@pytest.mark.parametrize(
    ("process", "beside", "words"),
    [
        (5 * GB, 480_000_000, {"en": "in a process of its own, 480 MB more", "zh-CN": "在单独的进程中，另占 480 MB"}),
        (5 * GB, None, {"en": "in a process of its own that holds 5.0 GB", "zh-CN": "在单独的进程中，进程共占 5.0 GB"}),
    ],
)
def test_a_row_says_what_a_process_of_its_own_takes(info: ModelInfo, process, beside, words) -> None:
    entry = Entry(replace(info, resident=replace(THERE, process=process, beside=beside)))
    for language, said in words.items():
        drawn = model_row.draw(entry, language, NOW, True)
        assert said in drawn
        assert drawn.index("4.0 GB") < drawn.index(said)
    for none in (None, 0):
        plain = Entry(replace(info, resident=replace(THERE, process=none)))
        assert "process" not in model_row.draw(plain, "en", NOW, True)


def test_a_gpu_has_a_bar_of_its_own_and_what_it_parks_is_in_the_other() -> None:
    card = replace(STATUS, device=Device("cuda", 0, "A card"), charged=3 * GB, total=8 * GB, free=4 * GB, parked=2 * GB)
    both = Status((card, STATUS), (), 0, private=2 * GB)
    assert shares(card, both) == Shares(3 * GB, 0, 0, 0, GB, 8 * GB)
    assert shares(STATUS, both) == Shares(0, 2 * GB, 0, 0, 4 * GB, 16 * GB)
    drawn = memory_bars.draw(both, "en", False)
    assert drawn.count('class="a-bar"') == 2
    assert "GPU memory, A card" in drawn
    assert "Parked <b>2.0 GB" in drawn


@pytest.mark.parametrize("reason", ["room", "idle", "asked", "stale", "shrink", "retry", "failed"])
def test_every_reason_has_plain_words(reason: str) -> None:
    words = memory_bars.why(Departure("m", reason, False, GB, 5.0), str, "en")
    assert words == table("en")[f"models.why_{reason}"]


def test_a_model_that_made_room_says_for_whom() -> None:
    left = (Departure("a", "room", True, 4 * GB, 130.0, "b"), Departure("c", "idle", False, GB, 5.0))
    drawn = memory_bars.departures(Status((replace(STATUS, departures=left),), (), 0), str.upper, "en")
    assert "Made room for B · parked" in drawn
    assert "4.0 GB, 2 min ago" in drawn
    assert drawn.index("<strong>C") < drawn.index("<strong>A")


def test_a_device_that_hangs_says_so_and_offers_a_restart_where_there_is_one() -> None:
    stuck = Status((replace(STATUS, stuck=130.0),), (), 0)
    drawn = memory_bars.draw(stuck, "en", True)
    assert "cpu" in drawn.lower()
    assert "has not answered for 2 min" in drawn
    assert 'data-do="restart"' in drawn
    assert 'data-do="restart"' not in memory_bars.draw(stuck, "en", False)


def test_devices_of_a_cluster_are_told_by_machine() -> None:
    lent = (
        Lent("desk cuda:0", "desk", "cuda:0", "RTX <4090>", ("sd-turbo", "qwen3"), 2),
        Lent("desk cuda:1", "desk", "cuda:1", "RTX", (), 0),
        Lent("shed cpu", "shed", "cpu", "Old one", (), 0),
    )
    drawn = memory_bars.draw(Status((), (), 0, lent=lent), "en", False, str.upper)
    assert drawn.count("<h3>") == 2
    assert drawn.index("Cluster: desk") < drawn.index("cuda:0 · RTX &lt;4090&gt;") < drawn.index("Cluster: shed")
    assert "SD-TURBO, QWEN3" in drawn
    assert "2 at work" in drawn
    assert drawn.count("nothing in memory") == 2
    assert "集群：desk" in memory_bars.draw(Status((), (), 0, lent=lent), "zh-CN", False)
    assert "Cluster" not in memory_bars.draw(Status((), (), 0), "en", False)


# ---- the whole panel


class Asked:
    """A request of a browser."""

    def __init__(self, cookie: bool = True) -> None:
        self.session_hash, self.headers = "s", {"accept-language": "en"}
        self.cookies = {SESSION: "0" * 32} if cookie else {}


def panel(studio: Studio, restart: Callable[[], None] | None = None) -> Panel:
    return Panel(Page(studio, None, restart=restart))  # type: ignore[arg-type]


def answer(panel: Panel, order: str, **how: bool) -> Any:
    told = panel.obey(order, Asked(**how))  # type: ignore[arg-type]
    return json.loads(told) if isinstance(told, str) else told


def test_an_answer_that_would_change_nothing_is_not_sent(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    for manager in studio._runner.fleet:  # the machine's memory is another one at each look
        monkeypatch.setattr(manager._budget, "_read", lambda _: memory.Reading(16_000_000_000, 11_200_000_000))
    monkeypatch.setattr(peak_memory, "private_of_all", lambda *_: 500_000_000)
    shown = panel(studio)
    assert [group["title"] for group in answer(shown, "look")["groups"]][:2] == ["Chat", "Image"]
    assert answer(shown, "look") == gr.skip()


def test_what_the_studio_refuses_is_said_until_the_next_button(studio: Studio) -> None:
    shown = panel(studio)
    assert "no model called nothing" in answer(shown, "load nothing")["said"]
    looked = answer(shown, "look")  # nothing to draw, unless the memory of the machine has changed meanwhile
    assert looked == gr.skip() or "no model called nothing" in looked["said"]
    assert answer(shown, "load demo-chat")["said"] == ""


def test_a_later_use_settles_a_load_that_failed(studio: Studio, info: ModelInfo) -> None:
    shown = panel(studio)
    failed, chat = Job("load", "", model="m"), Job("chat", "", model="m")
    failed.finish("failed", None, StudioError("closing"))
    studio._runner.register._jobs = {"1": failed}
    assert shown.entries([info])[0].state == "failed"
    chat.finish("done")
    studio._runner.register._jobs["2"] = chat
    assert shown.entries([info])[0].state == "disk"


def test_strangers_look_and_cannot_touch(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"profile": "space"})) as studio:
        shown = panel(studio, restart=lambda: pytest.fail("a stranger restarted the studio"))
        rows = [row for group in answer(shown, "look")["groups"] for row in group["rows"]]
        assert rows
        assert not any('data-do="' in row["html"].replace('data-do="licence"', "") for row in rows)
        for order in ("load", "unload", "pin", "delete", "download", "cancel", "again", "restart"):
            assert "not offered on a public studio" in answer(panel(studio), f"{order} demo-chat")["said"]


def test_only_a_browser_that_was_here_restarts_and_only_at_home(settings: Settings) -> None:
    done: list[str] = []
    with Studio(settings) as studio:
        assert "not offered" in answer(panel(studio, lambda: done.append("?")), "restart", cookie=False)["said"]
        assert "not offered" in answer(panel(studio), "restart")["said"]
        answer(panel(studio, lambda: done.append("home")), "restart")
    with Studio(settings.model_copy(update={"profile": "lan"})) as studio:
        assert "not offered" in answer(panel(studio, lambda: done.append("lan")), "restart")["said"]
    assert done == ["home"]


def test_the_strip_tells_of_models_being_loaded_parked_and_of_what_is_kept(studio: Studio) -> None:
    device = replace(
        STATUS, charged=5 * GB, work=GB,
        models=(replace(THERE, key="demo-chat"), replace(THERE, key="demo-image", state="parked")),
    )  # fmt: skip
    job = Job("load", "SD-Turbo", model="sd-turbo")
    drawn = status.render(Status((device,), (job,), 0), Page(studio, None), "en")  # type: ignore[arg-type]
    assert "Loading SD-Turbo:" in drawn
    assert "tab.load" not in drawn
    assert drawn.index("Loaded: ") < drawn.index("Demo chat") < drawn.index("Parked: ") < drawn.index("Demo painter")
    assert 'class="a-kept" style="width:6%"' in drawn


SCRIPT = """
import os, sys, time
from pathlib import Path
if "AGAIN" in os.environ:
    print("again at", os.environ["STUDIO_PORT"], sys.argv[1])
    sys.exit()
from studio.engines.demo.fake import FakeModel
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings
from tabs.serve import start_again
os.environ["AGAIN"] = "yes"
FakeModel._paint = lambda *_: time.sleep(3600)
studio = Studio(Settings(demo=True, home=Path(sys.argv[1]), device="cpu"))
job = studio.submit(ImageRequest(prompt="hills"))
while job.snapshot().kind != "running":
    time.sleep(0.02)
start_again(studio, 4321)
"""


def test_the_studio_starts_again_although_a_device_hangs(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "home")], cwd=root, timeout=100, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(root)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"again at 4321 {tmp_path / 'home'}" in done.stdout
