"""The caption tab without a browser: from fields to a request and a manner, the list, what strangers see."""

import html
import io
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.i18n import text
from studio.library import visitors
from studio.requests import CaptionRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.caption.edits import Edits
from studio.tasks.caption.run import Run
from studio.tasks.caption.runs import Desk, Manner
from tabs import page
from tabs.caption import fields, rows, tab
from tabs.caption.folder import Many
from tabs.caption.result import Result
from tabs.caption.rows import Rows
from tabs.shared.context import Page

EMPTY = {
    "model": "", "prompt": "", "length": "normal", "style": "plain", "opening": "", "require": "", "forbid": "",
    "count": 1, "max_tokens": "", "temperature": "", "seed": "", "trigger": "", "replace": "", "ban": "",
    "token_limit": "", "mode": "skip", "recursive": False, "dry": True,
}  # fmt: skip


def _blank() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def shown(studio: Studio) -> Rows:
    return Rows(Page(studio, None))  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Thirty pictures; the names and captions of the first are hostile."""
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(30):
        name = "0 <img src=x onerror=alert(1)>.png" if number == 0 else f"{number}.png"
        Image.new("RGB", (300, 200), "red").save(root / name)
    run = Desk(tmp_path / "captions").of_folder(root, Manner(mode="overwrite"))
    with run.working():
        run.record(run.plan.keys[0], '</textarea><script>alert("hi")</script>')
        run.record("1.png", "a red cat")
    return run


@pytest.mark.parametrize("count", ["several", ["2"], {"a": 1}])
def test_how_many_is_a_number_whatever_a_message_holds(count: object) -> None:
    with pytest.raises(StudioError) as caught:
        fields.wanted_request({**EMPTY, "count": count})
    assert caught.value.code == "not_a_number"


def test_empty_fields_leave_everything_to_the_model() -> None:
    made = fields.wanted_request(EMPTY)
    assert (made.max_tokens, made.temperature, made.seed, made.require, made.forbid) == (None, None, None, (), ())
    assert fields.manner(EMPTY) == Manner(dry=True)


def test_what_is_typed_is_what_is_asked() -> None:
    given: dict[str, Any] = {
        **EMPTY, "require": "gulls, clouds", "forbid": "天空，海\n sand ", "count": 4, "seed": "7",
        "opening": "a photo",
    }  # fmt: skip
    made = fields.wanted_request(given, b"x", "other")
    assert (made.require, made.forbid) == (("gulls", "clouds"), ("天空", "海", "sand"))
    assert (made.count, made.seed, made.opening, made.image, made.model) == (4, 7, "a photo", b"x", "other")


def test_edits_are_read_from_their_fields() -> None:
    given = {
        **EMPTY, "trigger": " zxc ", "replace": "cat = dog\n\na->b\nx=", "ban": "blurry, text", "token_limit": "77",
        "mode": "append", "recursive": True, "dry": False,
    }  # fmt: skip
    edits = Edits("zxc", (("cat", "dog"), ("a", "b"), ("x", "")), ("blurry", "text"), 77)
    assert fields.manner(given) == Manner("append", edits, True, False)


@pytest.mark.parametrize(
    ("field", "typed", "code"),
    [("token_limit", "many", "not_a_number"), ("token_limit", "7.5", "not_a_number"),
     ("replace", "cat", "caption_pair"), ("replace", "= dog", "caption_pair")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(field: str, typed: str, code: str) -> None:
    with pytest.raises(StudioError) as refused:
        fields.manner({**EMPTY, field: typed})
    assert refused.value.code == code


def test_a_page_of_the_list_has_a_field_for_each_picture(shown: Rows, run: Run) -> None:
    first, second = shown.draw(run, 0, "en"), shown.draw(run, 1, "en")
    assert (first.count("<textarea"), second.count("<textarea")) == (25, 5)
    assert ">\na red cat</textarea>" in first
    assert first.count("<img") == 25


def test_names_and_captions_are_text_in_the_list(shown: Rows, run: Run) -> None:
    drawn = shown.draw(run, 0, "en")
    assert "<script" not in drawn
    assert "onerror=alert(1)>" not in drawn.replace(html.escape("onerror=alert(1)>"), "")
    assert html.escape('</textarea><script>alert("hi")</script>') in drawn


def test_two_lists_drawn_are_told_apart(shown: Rows, run: Run) -> None:
    marks = {found for _ in range(3) for found in re.findall(r'data-drawn="(\w+)"', shown.draw(run, 0, "en"))}
    assert len(marks) == 3


def test_while_a_run_is_busy_the_newest_captions_are_shown_and_no_picture_is_opened(shown: Rows, run: Run) -> None:
    drawn = shown.draw(run, 0, "en", busy=True)
    assert drawn.count("<textarea") == drawn.count("readonly") == 2
    assert "<img" not in drawn
    assert drawn.index("a red cat") < drawn.index("&lt;script")


def test_small_pictures_are_made_once_and_never_for_longer_than_a_moment(
    shown: Rows, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []
    real = rows.decode_image
    monkeypatch.setattr(rows, "decode_image", lambda data: made.append(data) or real(data))
    shown.draw(run, 0, "en")
    shown.draw(run, 0, "en")
    assert len(made) == 25
    monkeypatch.setattr(rows, "_SECONDS", 0)
    assert "<img" not in shown.draw(run, 1, "en")


def test_a_run_is_summed_up_in_a_line(run: Run) -> None:
    assert rows.summary(run, "en").endswith("· Overwrite · written 2, waiting 28")
    assert rows.summary(run, "zh-CN").endswith("2、等待 28")


def test_a_row_without_a_picture_keeps_its_place(shown: Rows, run: Run) -> None:
    (run.root / "1.png").write_bytes(b"no picture any more")
    drawn = shown.draw(run, 0, "en")
    assert drawn.count("<img") == 24
    assert drawn.count('class="a-row-none"') == 1


@pytest.mark.parametrize("spoken", ["en", "zh-CN"])
def test_that_there_is_nothing_to_name_is_said_in_the_language_of_the_page_and_not_sent_on(
    studio: Studio, spoken: str
) -> None:
    job = studio.submit(CaptionRequest(image=_blank()))
    artifact = job.result()
    refused = replace(artifact, text=text("caption.said_noise", "en"), texts=(), notes=(("caption_noise", {}),))
    with gr.Blocks() as blocks:
        result = Result(Page(studio, blocks))
        said = result.show(replace(job.snapshot(), artifact=refused), spoken, second=False)
        usual = result.show(job.snapshot(), spoken, second=False)
    assert said[result.answer]["value"] == text("caption.said_noise", spoken)
    assert not said[result.send]["visible"]
    assert usual[result.answer]["value"] == artifact.text
    assert usual[result.send]["visible"]


def test_files_that_were_passed_over_are_counted_once(studio: Studio, run: Run) -> None:
    update = studio.submit(CaptionRequest(image=_blank()))
    noted = replace(update.result(), notes=(("captions_passed", {"count": 2}), ("captions_failed", {"count": 1})))
    with gr.Blocks() as blocks:
        many = Many(Page(studio, blocks))
        said = many.show(replace(update.snapshot(), artifact=noted), run, "en")[many.said]
    assert "could not be captioned" in said
    assert "passed over" not in said


def test_what_strangers_sent_is_not_measured_for_each_of_many_presses(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, looks, taken = [100.0], list[int](), [0]
    monkeypatch.setattr(visitors, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(visitors, "occupied", lambda _: looks.append(1) or taken[0])
    page = Page(studio, None)  # type: ignore[arg-type]
    for _ in range(20):
        page.require_room()
    assert len(looks) == 1
    taken[0] = 3_000_000_000
    now[0] += 6
    with pytest.raises(StudioError, match="visitors have sent fills"):
        page.require_room()
    assert len(looks) == 2


def test_a_run_in_the_list_is_called_by_when_it_was_begun(run: Run) -> None:
    assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d · .*· Overwrite · written 2", rows.entry(run, "en"))


def test_the_list_of_runs_is_hidden_where_there_is_none_and_says_which_one_is_shown(
    studio: Studio, tmp_path: Path
) -> None:
    with gr.Blocks() as blocks:
        many = Many(Page(studio, blocks, tmp_path))
    asks = gr.Request(session_hash="x", headers={}, cookies={})
    assert many.runs("", asks)["visible"] is False
    root = tmp_path / "pictures"
    root.mkdir()
    Image.new("RGB", (8, 8), "red").save(root / "1.png")
    made = studio.captions.of_folder(root, Manner(dry=True))
    unchosen, shown = many.runs("", asks), many.runs(made.id, asks)
    assert (unchosen["visible"], unchosen["choices"][0]) == (True, ("Choose one", unchosen["value"]))
    assert (shown["visible"], shown["value"], [id for _, id in shown["choices"]]) == (True, made.id, [made.id])


@pytest.mark.parametrize(("profile", "there"), [("local", True), ("lan", False), ("space", False)])
def test_only_on_one_s_own_machine_a_folder_can_be_named(tmp_path: Path, profile: str, there: bool) -> None:
    settings = Settings(demo=True, home=tmp_path, profile=profile, password="long enough", _env_file=None)  # type: ignore[arg-type]
    with Studio(settings) as studio:
        blocks = page.build(studio)
        given = {**EMPTY, "files": None, "folder": str(tmp_path)}
        with pytest.raises(StudioError) as refused:  # whatever the page shows, the server asks again
            tab._run(Page(studio, blocks, tmp_path), given, gr.Request(session_hash="x"))
        assert refused.value.code == ("no_pictures" if there else "not_for_public")
    found = {getattr(block, "elem_id", None): block for block in blocks.blocks.values()}
    assert found["caption-folder"].visible is there
    assert found["caption-recursive"].visible is there
