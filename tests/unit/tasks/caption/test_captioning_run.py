"""A run over a folder: nothing lost, nothing written twice, and everything taken back, wherever it breaks off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio import paths
from studio.errors import StudioError
from studio.tasks.caption import folder
from studio.tasks.caption import run as runs
from studio.tasks.caption.edits import MODES, Edits
from studio.tasks.caption.journal import read_journal
from studio.tasks.caption.run import Run
from studio.tasks.caption.runs import Desk, Manner

EDITS = Edits(trigger="zxc", replace=(("cat", "dog"),), ban=("blurry",), token_limit=30)
old_files = st.one_of(
    st.none(),
    st.binary(max_size=12),
    st.text(max_size=30).map(str.encode),
    st.sampled_from([b"", b" \n", b"mine\r\n", b"\xef\xbb\xbfmit BOM", "旧的描述。".encode()]),
)
captions = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1, max_size=40)


class Crash(BaseException):
    """The process is gone: nothing after this runs."""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures, of which one has a caption."""
    root = tmp_path / "pictures"
    root.mkdir()
    for name in ("a.png", "b.png"):
        (root / name).write_bytes(b"not looked at here")
    (root / "a.txt").write_bytes(b"my own words\n")
    return root


def begun(root: Path, **manner: object) -> Run:
    return Desk(root.parent / "captions").of_folder(root, Manner(**manner), again=True)  # type: ignore[arg-type]


def texts(root: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(root.rglob("*.txt"))}


def work(run: Run, said: dict[str, str], crash_at: int = 10**9) -> None:
    """Caption what waits as the lane does, until the journal or the disk has been touched `crash_at` times."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps > crash_at:
            raise Crash

    add, put = runs.Journal.add, paths.put_file

    def journalled(self, lines):
        step()
        add(self, lines)
        step()

    def written(path, data):
        step()
        put(path, data)
        step()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs.Journal, "add", journalled)
        patch.setattr(paths, "put_file", written)
        with run.working():
            run.begin()
            for key in run.waiting():
                try:
                    run.record(key, said[key])
                except StudioError as error:
                    run.fail(key, error)
            run.finish()


@settings(max_examples=60, deadline=None)
@given(
    files=st.lists(old_files, min_size=1, max_size=4),
    said=st.lists(captions, min_size=4, max_size=4),
    mode=st.sampled_from(MODES),
    edits=st.sampled_from([Edits(), EDITS]),
    crashes=st.lists(st.integers(0, 12), max_size=3),
)
def test_wherever_it_crashes_a_resumed_run_ends_as_an_uninterrupted_one_and_is_taken_back_whole(
    files, said, mode, edits, crashes
) -> None:
    with TemporaryDirectory() as name:
        ends = []
        for crash_at in ([], crashes):
            root = Path(name).resolve() / f"pictures{len(ends)}"
            root.mkdir()
            for number, data in enumerate(files):
                (root / f"{number}.png").write_bytes(b"")
                if data is not None:
                    (root / f"{number}.txt").write_bytes(data)
            before = texts(root)
            run = begun(root, mode=mode, edits=edits)
            words = {f"{number}.png": text for number, text in enumerate(said)}
            for at in crash_at:
                with pytest.raises(Crash) if at < 0 else _may_crash():
                    work(Run(run.place), words, at)
            work(Run(run.place), words)
            ends.append(texts(root))
            run = Run(run.place)
            assert run.finished
            assert set(run.counts()) <= {"written", "same", "skipped", "failed"}
            with run.working():
                found = run.roll_back()
            assert texts(root) == before
            assert not found.kept
        assert ends[0] == ends[1]


class _may_crash:  # noqa: N801
    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is Crash


@pytest.mark.parametrize(
    ("mode", "after"),
    [("overwrite", b"a dog\n"), ("append", b"my own words, a dog\n"), ("prepend", b"a dog, my own words\n"),
     ("skip", b"my own words\n")],
)  # fmt: skip
def test_what_was_there_is_kept_as_the_mode_says(pictures: Path, mode: str, after: bytes) -> None:
    run = begun(pictures, mode=mode)
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    assert texts(pictures) == {"a.txt": after, "b.txt": b"a cat"}


def test_a_dry_run_shows_every_change_and_writes_nothing_until_it_is_applied(pictures: Path) -> None:
    run = begun(pictures, mode="append", dry=True)
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    assert texts(pictures) == {"a.txt": b"my own words\n"}
    shown = {line.key: (line.before, line.after) for line in run.lines() if line}
    assert shown == {"a.png": (b"my own words\n", "my own words, a dog\n"), "b.png": (None, "a cat")}
    run = Run(run.place)
    with run.working():
        run.apply()
    assert texts(pictures) == {"a.txt": b"my own words, a dog\n", "b.txt": b"a cat"}


def test_applying_that_was_interrupted_goes_on(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun(pictures, mode="append", dry=True)
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    with monkeypatch.context() as patch, run.working():
        patch.setattr(paths, "put_file", _crash)
        with pytest.raises(Crash):
            run.apply()
    run = Run(run.place)
    assert not run.finished
    work(run, {})
    assert texts(pictures) == {"a.txt": b"my own words, a dog\n", "b.txt": b"a cat"}
    assert run.finished


def _crash(*_: object) -> None:
    raise Crash


def test_what_changed_since_the_dry_run_is_left_alone_and_said(pictures: Path) -> None:
    run = begun(pictures, mode="append", dry=True)
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    (pictures / "a.txt").write_bytes(b"newer words")
    with run.working():
        run.apply()
    assert texts(pictures) == {"a.txt": b"newer words", "b.txt": b"a cat"}
    assert [line.error for line in run.lines() if line and line.state == "failed"] == ["caption_changed"]


def test_rolling_back_leaves_what_somebody_edited_since_and_names_it(pictures: Path) -> None:
    run = begun(pictures, mode="overwrite")
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    (pictures / "a.txt").write_bytes(b"a dog, and better")
    with run.working():
        found = run.roll_back()
    assert (found.restored, found.kept) == (1, ("a.png",))
    assert texts(pictures) == {"a.txt": b"a dog, and better"}


def test_a_run_that_was_rolled_back_is_not_resumed(pictures: Path) -> None:
    run = begun(pictures, mode="overwrite")
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    with run.working():
        run.roll_back()
        with pytest.raises(StudioError, match="rolled back"):
            run.begin()


def test_rolling_back_twice_does_no_more(pictures: Path) -> None:
    before = texts(pictures)
    run = begun(pictures, mode="overwrite")
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    for _ in range(2):
        run = Run(run.place)
        with run.working():
            run.roll_back()
    assert texts(pictures) == before


def test_typed_words_are_saved_as_typed_and_survive_a_roll_back(pictures: Path) -> None:
    run = begun(pictures, mode="overwrite")
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    with run.working():
        run.type("a.png", "  my dog,\nBello ")
        assert texts(pictures)["a.txt"] == b"  my dog,\nBello "
        assert run.roll_back().kept == ("a.png",)
    assert texts(pictures) == {"a.txt": b"  my dog,\nBello "}


def test_typing_in_a_dry_run_changes_what_would_be_written(pictures: Path) -> None:
    run = begun(pictures, mode="overwrite", dry=True)
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    with run.working():
        run.type("b.png", "my cat")
        assert texts(pictures) == {"a.txt": b"my own words\n"}
        run.apply()
    assert texts(pictures) == {"a.txt": b"a dog\n", "b.txt": b"my cat"}


def test_what_is_no_text_is_not_added_to_but_can_be_written_over_and_comes_back(pictures: Path) -> None:
    (pictures / "a.txt").write_bytes(b"\x89PNG\r\n\0\0")
    run = begun(pictures, mode="append")
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    assert texts(pictures) == {"a.txt": b"\x89PNG\r\n\0\0", "b.txt": b"a cat"}
    (pictures / "a.txt").write_bytes(b"caf\xe9")
    over = begun(pictures, mode="overwrite")
    work(over, {"a.png": "a dog", "b.png": "a cat"})
    assert texts(pictures)["a.txt"] == b"a dog"
    with over.working():
        over.roll_back()
    assert texts(pictures)["a.txt"] == b"caf\xe9"


def test_a_caption_that_appears_meanwhile_is_not_written_over_where_those_are_skipped(pictures: Path) -> None:
    run = begun(pictures)
    with run.working():
        run.begin()
        (pictures / "b.txt").write_bytes(b"just written by somebody")
        assert run.record("b.png", "a cat").state == "skipped"
    assert texts(pictures)["b.txt"] == b"just written by somebody"


def test_only_one_works_on_a_run(pictures: Path) -> None:
    run = begun(pictures)
    with run.working():
        with pytest.raises(StudioError) as refused, Run(run.place).working():
            pass
    assert refused.value.code == "caption_run_busy"


def test_a_line_that_a_crash_cut_short_is_not_believed_and_not_built_upon(pictures: Path) -> None:
    run = begun(pictures, mode="overwrite")
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    journal = run.place / "journal.jsonl"
    whole = journal.read_bytes()
    for cut in range(len(whole)):
        journal.write_bytes(whole[:cut])
        assert set(read_journal(journal).lines) <= {"a.png", "b.png"}
    journal.write_bytes(whole[:-30])
    run = Run(run.place)
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())


def test_a_damaged_plan_is_one_clear_error(pictures: Path) -> None:
    run = begun(pictures)
    for text in ("", "[]", "{}", '{"format": "atelier-captions/1"}'):
        (run.place / "run.json").write_text(text)
        with pytest.raises(StudioError) as refused:
            Run(run.place)
        assert refused.value.code == "unknown_caption_run"


def test_the_plan_comes_back_as_it_was(pictures: Path) -> None:
    run = begun(pictures, mode="append", edits=EDITS, recursive=True, dry=True)
    with run.working():
        run.settle({"model": "m", "seed": 7})
    assert Run(run.place).plan == replace(run.plan, settings={"model": "m", "seed": 7})


def test_a_caption_file_that_is_a_link_is_neither_read_nor_written(pictures: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"mine")
    (pictures / "b.txt").symlink_to(secret)
    run = begun(pictures, mode="overwrite")
    work(run, {"a.png": "a dog", "b.png": "a cat"})
    assert secret.read_bytes() == b"mine"
    assert [line.error for line in run.lines() if line and line.state == "failed"] == ["caption_link"]


def test_an_earlier_run_that_was_not_finished_is_not_run_over(pictures: Path) -> None:
    desk = Desk(pictures.parent / "captions")
    desk.of_folder(pictures, Manner(mode="append"))
    with pytest.raises(StudioError) as refused:
        desk.of_folder(pictures, Manner(mode="append"))
    assert refused.value.code == "caption_run_open"
    assert desk.of_folder(pictures, Manner(mode="append"), again=True)


def test_strangers_name_no_folders(pictures: Path) -> None:
    with pytest.raises(StudioError) as refused:
        Desk(pictures.parent / "captions", public=True).of_folder(pictures, Manner())
    assert refused.value.code == "not_for_public"


@pytest.mark.parametrize("id", ["", "..", "../..", "last", "20260101-000000-zzzzzz", "20260101-000000-abcdef"])
def test_a_run_that_is_not_there_is_not_opened(tmp_path: Path, id: str) -> None:
    with pytest.raises(StudioError) as refused:
        Desk(tmp_path).open(id)
    assert refused.value.code == "unknown_caption_run"


def test_the_permissions_of_a_caption_file_stay(pictures: Path) -> None:
    (pictures / "a.txt").chmod(0o640)
    work(begun(pictures, mode="overwrite"), {"a.png": "a dog", "b.png": "a cat"})
    assert (pictures / "a.txt").stat().st_mode & 0o777 == 0o640
    assert folder.read_caption(pictures, "b.png") == b"a cat"
