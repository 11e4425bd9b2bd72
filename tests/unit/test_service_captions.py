"""Captions through the studio: several to choose from, and a folder as one job with honest progress."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from studio.engines.demo.fake import FakeModel
from studio.errors import StudioError
from studio.jobs.plans import caption_folder
from studio.requests import CaptionRequest
from studio.results import Output
from studio.service import Studio
from studio.tasks.caption.run import Run
from studio.tasks.caption.runs import Manner


def png(colour: str = "red", size: tuple[int, int] = (8, 8)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


ASK = CaptionRequest(image=png())
ALL = CaptionRequest(image=b"", seed=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures, of which the first cannot be read and the second has a caption."""
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(6):
        (root / f"{number}.png").write_bytes(png(size=(8 + number, 8)) if number else b"no picture")
    (root / "1.txt").write_text("mine")
    return root


def captions(root: Path) -> set[str]:
    return {file.name for file in root.glob("*.txt")}


# One picture


def test_a_caption_is_kept_in_the_style_that_was_asked_for(studio: Studio) -> None:
    made = studio.submit(replace(ASK, style="tags")).result()
    assert made.text == "square picture, mostly red, 8, 8 pixels"
    assert made.files[0].read_text() == made.text
    assert made.recipe["parameters"]["style"] == "tags"


def test_several_captions_are_all_kept_each_with_the_seed_that_makes_it_again(studio: Studio) -> None:
    made = studio.submit(replace(ASK, count=4, seed=1)).result()
    assert len(made.texts) == len(made.files) == len(made.recipes) > 1
    assert made.text == made.texts[0]
    assert len(set(made.texts)) == len(made.texts)
    for text, recipe in zip(made.texts, made.recipes, strict=True):
        again = replace(ASK, seed=recipe["seed"], temperature=recipe["parameters"]["temperature"])
        assert studio.submit(again).result().text == text


def test_captions_that_are_alike_are_shown_once_and_said(studio: Studio) -> None:
    made = studio.submit(replace(ASK, count=3, temperature=0.0)).result()
    assert len(made.texts) == 1
    assert made.notes == (("captions_alike", {"count": 1}),)


def test_what_a_caption_still_lacks_is_said(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeModel, "run", lambda *_: Output(text="a red cat"))
    made = studio.submit(replace(ASK, require=("dog", "cat"), forbid=("red", "blue"))).result()
    assert made.notes == (("words_missing", {"words": "dog"}), ("words_found", {"words": "red"}))


# A folder


def test_a_folder_is_one_job_whose_steps_are_pictures_and_whose_text_is_a_line_for_each(
    studio: Studio, folder: Path
) -> None:
    run = studio.captions.of_folder(folder, Manner())
    job = studio.caption_all(run, ALL)
    *_, last = job.events()
    assert last.kind == "done"
    assert (last.step, last.steps) == (5, 5), "the one that has a caption is not among them"
    assert [line.split("\t")[:2] for line in job.snapshot().text.splitlines()] == [
        ["0.png", "failed"], *[[f"{number}.png", "written"] for number in (2, 3, 4, 5)]
    ]  # fmt: skip
    assert last.artifact is not None
    assert last.artifact.files == ()
    assert last.artifact.notes == (("captions_failed", {"count": 1}),)
    assert captions(folder) == {"1.txt", "2.txt", "3.txt", "4.txt", "5.txt"}
    assert not list((studio.home.outputs / "caption").rglob("*.*")), "captions lie beside the pictures, not twice"


def test_each_caption_of_a_folder_is_what_the_picture_gets_alone(studio: Studio, folder: Path) -> None:
    asked = CaptionRequest(image=b"", seed=5, style="prompt", opening="zxc", temperature=0.9)
    studio.caption_all(studio.captions.of_folder(folder, Manner()), asked).result()
    alone = studio.submit(replace(asked, image=(folder / "3.png").read_bytes())).result()
    assert (folder / "3.txt").read_text() == alone.text


def test_stop_keeps_what_is_written_and_the_rest_can_be_resumed(slow, folder: Path) -> None:
    studio = slow(step_seconds=0.01)
    run = studio.captions.of_folder(folder, Manner())
    job = studio.caption_all(run, ALL)
    for update in job.events():
        if update.step == 2:
            job.cancel()
    assert update.kind == "cancelled"
    run = studio.captions.open(run.id)
    assert not run.finished
    assert run.counts()["waiting"] >= 1
    before = {name: (folder / name).read_bytes() for name in captions(folder)}
    assert 1 <= len(before) - 1 < 4
    other = CaptionRequest(image=b"", seed=99, style="tags")
    studio.caption_all(run, other).result()
    assert captions(folder) == {"1.txt", "2.txt", "3.txt", "4.txt", "5.txt"}
    assert all((folder / name).read_bytes() == data for name, data in before.items())
    assert (folder / "5.txt").read_text().startswith("a wide picture"), "it goes on as it began"


def test_time_left_is_told_from_the_second_picture_on(slow, folder: Path) -> None:
    studio = slow(step_seconds=0.005)
    seen = [
        (update.step, update.seconds_left)
        for update in studio.caption_all(studio.captions.of_folder(folder, Manner()), ALL).events()
        if update.kind == "running"
    ]
    assert all(left is None for step, left in seen if step < 2)
    assert any(left is not None for step, left in seen if 2 <= step < 5)


def test_who_waits_goes_first_after_a_while_and_the_run_goes_on_behind(
    slow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caption_folder, "SLICE", 0.0)
    monkeypatch.setattr(FakeModel, "peak", 0)
    studio = slow(step_seconds=0.01)
    long = studio.caption_all(studio.captions.of_folder(folder, Manner()), ALL)
    next(update for update in long.events() if update.step == 1)
    short = studio.submit(ASK)
    assert short.result().text
    assert not long.done
    assert long.result().notes == (("captions_failed", {"count": 1}),)
    assert long.snapshot().step == 5
    assert captions(folder) == {"1.txt", "2.txt", "3.txt", "4.txt", "5.txt"}
    assert len(long.snapshot().text.splitlines()) == 5, "no picture is come to twice"
    assert FakeModel.peak == 1


def test_a_run_that_waits_behind_others_can_be_stopped(slow, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_folder, "SLICE", 0.0)
    studio = slow(step_seconds=0.02)
    long = studio.caption_all(studio.captions.of_folder(folder, Manner()), ALL)
    next(update for update in long.events() if update.step == 2)
    others = [studio.submit(ASK) for _ in range(3)]
    next(update for update in long.events() if update.kind == "queued")
    long.cancel()
    *_, last = long.events()
    assert last.kind == "cancelled"
    for other in others:
        other.result()
    assert not studio.captions.open(long.tag).finished


def test_an_error_that_is_not_a_picture_s_ends_the_run_and_says_so(
    studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Run, key: str, caption: str, unsure: int) -> None:
        raise StudioError("disk_full", path="/")

    monkeypatch.setattr(Run, "record", full)
    run = studio.captions.of_folder(folder, Manner())
    with pytest.raises(StudioError) as error:
        studio.caption_all(run, ALL).result()
    assert error.value.code == "disk_full"
    assert not studio.captions.open(run.id).finished


def test_a_bad_request_is_refused_before_anything_starts(studio: Studio, folder: Path) -> None:
    run = studio.captions.of_folder(folder, Manner())
    with pytest.raises(StudioError) as error:
        studio.caption_all(run, replace(ALL, style="loud"))  # type: ignore[arg-type]
    assert error.value.code == "not_a_choice"
    assert not run.plan.settings


def test_several_at_once_are_the_same_and_one_that_spoils_them_goes_alone(
    studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def many(self, requests, context):
        sizes.append(len(requests))
        return [self.run(request, context) for request in requests]

    monkeypatch.setattr(FakeModel, "together", lambda *_: 3, raising=False)
    monkeypatch.setattr(FakeModel, "run_many", many, raising=False)
    studio.caption_all(studio.captions.of_folder(folder, Manner()), ALL).result()
    assert sizes == [3]
    assert captions(folder) == {"1.txt", "2.txt", "3.txt", "4.txt", "5.txt"}
    (folder / "2.png").write_bytes(png().replace(b"IDAT", b"IDAT\0\0\0"))
    sizes.clear()
    run = studio.captions.of_folder(folder, Manner(mode="overwrite"))
    studio.caption_all(run, ALL).result()
    assert sizes == [3]
    assert run.counts() == {"failed": 2, "written": 1, "same": 3}


def test_memory_does_not_grow_with_the_number_of_pictures(studio: Studio, tmp_path: Path) -> None:
    root = tmp_path / "many"
    root.mkdir()
    for number in range(100):
        (root / f"{number}.png").write_bytes(png() + bytes(200_000))
    run = studio.captions.of_folder(root, Manner())
    studio.submit(ASK).result()
    tracemalloc.start()
    try:
        studio.caption_all(run, ALL).result()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(captions(root)) == 100
    assert peak < 5_000_000, "all 100 files would be 20 MB"
