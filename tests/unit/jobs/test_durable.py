"""Jobs that outlive the studio: written whole, found by the next one, read although another version wrote them."""

from __future__ import annotations

import json
import shutil
import string
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from held import Held
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from studio.errors import StudioError
from studio.jobs import durable as files
from studio.jobs.asked import Asked
from studio.jobs.durable import Durable, Earlier
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.library.outputs import Library
from studio.paths import Home
from studio.request_parts import Attachment, Axis, CodeFile, Control, Detail, Lora, Message, Reference, Region
from studio.requests import (
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Request,
    UpscaleRequest,
)
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.caption.runs import Manner
from studio.tasks.chat.conversation import Entry

HILLS = ImageRequest(prompt="hills", steps=2)


def kept(root: Path, *asked: Asked, id: str = "dead") -> list[Job]:
    """What a studio that is dead now left."""
    durable, jobs = Durable(root, id, Library(Home(root))), []
    durable.take_over(())
    for one in asked:
        jobs.append(Job(one.request.task, "a title", model="m", session="me", asked=one))
        durable.begun(jobs[-1])
    return jobs


def left(settings: Settings, how: Callable[[Studio], Any]) -> Any:
    """What `how` makes of a studio that then ends without a word, as when it is killed."""
    studio = Studio(settings)
    try:
        studio.clear()
        return how(studio)
    finally:
        studio._runner._closed.set()
        studio._runner.durable = None
        studio.close()  # its lock goes with its process


words = st.text(string.printable + "狐狸\u0000\ud7ff", max_size=20)
blobs = st.binary(max_size=50)
asking: st.SearchStrategy[Request] = st.one_of(
    st.builds(
        ImageRequest, prompt=words, image=blobs, mask=blobs, seed=st.none() | st.integers(0, 2**63),
        width=st.none() | st.integers(1, 4096), styles=st.lists(words, max_size=2).map(tuple),
        loras=st.lists(st.builds(Lora, words, st.floats(-2, 2)), max_size=2).map(tuple),
        controls=st.lists(st.builds(Control, words, blobs), max_size=2).map(tuple),
        references=st.lists(st.builds(Reference, words, blobs, mask=blobs), max_size=2).map(tuple),
        regions=st.lists(st.builds(Region, words, blobs), max_size=2).map(tuple),
        details=st.lists(st.builds(Detail, words), max_size=1).map(tuple),
        pictures=st.lists(blobs, max_size=2).map(tuple),
    ),
    st.builds(
        ChatRequest, system=words,
        messages=st.lists(st.builds(
            Message, st.sampled_from(["user", "assistant"]), words,
            st.lists(st.builds(Attachment, words, words, st.integers(0), st.booleans(), blobs), max_size=1).map(tuple),
        ), max_size=3).map(tuple),
    ),
    st.builds(MusicRequest, prompt=words, sound=blobs, duration=st.none() | st.floats(1, 60)),
    st.builds(CodeRequest, prefix=words, files=st.lists(st.builds(CodeFile, words, words), max_size=1).map(tuple)),
    st.builds(CaptionRequest, image=blobs, prompt=words),
    st.builds(UpscaleRequest, image=blobs, scale=st.integers(1, 8)),
)  # fmt: skip


@given(asking, st.booleans(), st.sampled_from([(), (Axis("steps", ("1", "2")), None)]))
def test_every_request_comes_back_as_it_was(tmp_path_factory: Any, asked: Request, named: bool, axes: Any) -> None:
    root = tmp_path_factory.mktemp("queue")
    one = Asked(asked, axes=axes, keep=Keep("[seed]", "webp") if named else None, tag="a tag", previews=named)
    (job,) = kept(root, one)
    (found,) = (living := Durable(root, "new", Library(Home(root)))).take_over(())
    assert found == Earlier(job.id, False, asked.task, "a title", "m", "me", job.created)
    back = living.asked(job.id)
    assert back == one
    for part in ("messages",):  # the bytes of a file do not count where two are compared
        before, after = getattr(asked, part, ()), getattr(back.request, part, ())
        assert [file.data for m in after for file in m.files] == [file.data for m in before for file in m.files]


def test_what_a_program_has_and_nobody_keeps_is_not_known_after_a_restart(tmp_path: Path) -> None:
    kept(tmp_path, Asked(HILLS, keep=Keep(fleeting=True)))
    assert Durable(tmp_path, "next", Library(Home(tmp_path))).take_over(()) == ()


def test_two_that_start_at_once_do_not_both_have_it(tmp_path: Path) -> None:
    jobs = kept(tmp_path, *[Asked(HILLS)] * 3)
    one, two = Durable(tmp_path, "one", Library(Home(tmp_path))), Durable(tmp_path, "two", Library(Home(tmp_path)))
    assert len(one.take_over({"two"})) == 3
    assert two.take_over({"one"}) == (), "what another lives with is not taken"
    assert one.asked(jobs[0].id).request == HILLS
    with pytest.raises(StudioError):
        two.asked(jobs[0].id)
    assert not (tmp_path / "dead").exists()


def test_order_and_hold_are_remembered_and_the_one_that_ran_is_the_first(tmp_path: Path) -> None:
    a, b, c, d = kept(tmp_path, *[Asked(HILLS)] * 4)
    durable = Durable(tmp_path, "dead", Library(Home(tmp_path)))
    durable.ordered([c.id, a.id, b.id], [a.id])
    durable.state(d.id, "running")
    found = Durable(tmp_path, "new", Library(Home(tmp_path))).take_over(())
    assert [(one.id, one.ran, one.held) for one in found] == [
        (d.id, True, False), (c.id, False, False), (a.id, False, True), (b.id, False, False)
    ]  # fmt: skip
    again = Durable(tmp_path, "newer", Library(Home(tmp_path))).take_over(())
    assert [one.id for one in again] == [one.id for one in found], "and the next one has it from there"


def test_one_that_goes_on_is_there_once_wherever_the_studio_ends(tmp_path: Path) -> None:
    (job,) = kept(tmp_path, Asked(HILLS))
    durable = Durable(tmp_path, "new", Library(Home(tmp_path)))
    durable.take_over(())
    again = Job("image", "a title", model="m", session="me", asked=Asked(HILLS))
    with durable.going_on(job.id):
        durable.begun(again)
        for file in (tmp_path / "new").glob("*.waiting"):
            (tmp_path / "dead").mkdir(exist_ok=True)
            shutil.copy(file, tmp_path / "dead")
    shutil.rmtree(tmp_path / "new")
    (tmp_path / "dead").rename(tmp_path / "new")  # as it is where the studio ends in the middle
    assert {file.stem for file in (tmp_path / "new").glob("*.waiting")} == {job.id, again.id}
    assert [one.id for one in Durable(tmp_path, "newer", Library(Home(tmp_path))).take_over(())] == [again.id]


def rewritten(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    head, _, rest = file.read_bytes().partition(b"\n")
    told = json.loads(head)
    change(told)
    file.write_bytes(json.dumps(told).encode() + b"\n" + rest)


def test_what_another_version_wrote_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    old, new = kept(tmp_path, Asked(HILLS), Asked(ImageRequest(prompt="dale", image=b"a picture")))
    rewritten(tmp_path / "dead" / f"{old.id}.waiting", lambda head: (
        head["request"]["fields"].pop("seamless"), head["request"]["fields"].pop("regions"), head.pop("keep"),
        head.pop("how"),
    ))  # fmt: skip
    rewritten(tmp_path / "dead" / f"{new.id}.waiting", lambda head: (
        head.update(atelier_job=7, weather="fine"), head["request"]["fields"].update(smell="of rain"),
    ))  # fmt: skip
    durable = Durable(tmp_path, "new", Library(Home(tmp_path)))
    assert {one.id for one in durable.take_over(())} == {old.id, new.id}
    assert durable.asked(old.id).request == HILLS
    assert getattr(durable.asked(new.id).request, "image", b"") == b"a picture"


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""), lambda file: file.write_bytes(b"\x00\xff" * 100),
        lambda file: file.write_bytes(file.read_bytes()[:-3]), lambda file: file.write_bytes(b"[" * 100_000),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: rewritten(file, lambda head: head.update(atelier_job=None)),
        lambda file: rewritten(file, lambda head: head.update(blobs=[-1])),
        lambda file: rewritten(file, lambda head: head.update(blobs=[10**12])),
        lambda file: rewritten(file, lambda head: head.update(blobs="many")),
        lambda file: rewritten(file, lambda head: head.update(request={"is": "Path", "fields": {}})),
        lambda file: rewritten(file, lambda head: head["request"]["fields"].pop("prompt")),
        lambda file: rewritten(file, lambda head: head.update(request=None)),
        lambda file: rewritten(file, lambda head: head.update(how="by magic")),
        lambda file: rewritten(file, lambda head: head["request"]["fields"].update(prompt=[3], steps="many", width={})),
        lambda file: rewritten(file, lambda head: head["request"]["fields"].update(loras=7, styles=None)),
        lambda file: rewritten(file, lambda head: head.update(how="grid", axes=[])),
        lambda file: rewritten(file, lambda head: head.update(created="yesterday", task=[1], title={"a": 1})),
    ],
)  # fmt: skip
def test_a_damaged_file_stops_no_start(tmp_path: Path, settings: Settings, damage: Callable[[Path], object]) -> None:
    home = Home.at(settings.home)
    good, bad = kept(home.queue, Asked(HILLS), Asked(ImageRequest(prompt="x", image=b"a picture")))
    damage(home.queue / "dead" / f"{bad.id}.waiting")
    with Studio(settings) as studio:
        studio.clear()
        found = [one.id for one in studio.queue.earlier()]
        assert good.id in found
        if bad.id in found:
            try:
                studio.queue.go_on([bad.id], "me")
            except StudioError:
                assert bad.id in [one.id for one in studio.queue.earlier()], "it can still be dropped"
        studio.queue.drop(found)
        assert studio.queue.earlier() == ()


def test_jobs_are_there_after_the_studio_was_killed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)

    def leave(studio: Studio) -> list[str]:
        first = studio.submit(HILLS, "me")
        assert held.came.wait(10)
        two = studio.submit(ImageRequest(prompt="two", seed=5, steps=1), "me")
        three = studio.submit_grid(HILLS, Axis("steps", ("1", "2")), None, "me")
        chat = studio.chats.save(replace(studio.chats.new(), messages=(Entry("user", "hello", ""),)))
        four = studio.say(chat, ChatRequest(messages=()), "me", seen=chat.mark)
        over = studio.submit(HILLS, "me")
        over.cancel()
        studio.queue.move(three.id, "me", "front")
        held.go.set()
        return [job.id for job in (first, three, two, four)]

    expected = left(settings, leave)
    monkeypatch.undo()
    with Studio(settings) as studio:
        studio.clear()
        earlier = studio.queue.earlier()
        assert [one.id for one in earlier] == expected
        assert [one.ran for one in earlier] == [True, False, False, False]
        assert not studio.jobs(), "nothing goes on by itself"
        studio.queue.go_on([one.id for one in earlier], "somebody")
        assert studio.queue.earlier() == ()
        assert [[*job.events()][-1].kind for job in studio.jobs()] == ["done"] * 4
        two = studio.jobs("somebody")[2]
        assert getattr(two.request, "seed", 0) == 5
        (chat,) = studio.chats.list()
        assert [entry.role for entry in studio.chats.load(chat.id).messages] == ["user", "assistant"]
    with Studio(settings) as studio:
        studio.clear()
        assert studio.queue.earlier() == (), "what went on has left nothing"
        own = list(studio.home.queue.rglob("*"))
        assert not own


def test_captions_of_a_folder_go_on_where_they_were(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held, pictures = Held(monkeypatch), tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        Image.new("RGB", (32, 32), (number, 80, 40)).save(pictures / f"{number}.png")

    def leave(studio: Studio) -> None:
        studio.submit(HILLS, "me")
        assert held.came.wait(10)
        run = studio.captions.of_folder(pictures, Manner())
        studio.caption_all(run, CaptionRequest(image=b""), "me")
        held.go.set()

    left(settings, leave)
    monkeypatch.undo()
    with Studio(settings) as studio:
        studio.clear()
        captions = [one.id for one in studio.queue.earlier() if one.task == "caption"]
        assert len(captions) == 1
        studio.queue.go_on(captions, "me")
        assert [*studio.jobs()[-1].events()][-1].kind == "done"
    assert sorted(file.name for file in pictures.glob("*.txt")) == ["0.txt", "1.txt", "2.txt"]


def test_a_studio_that_is_closed_properly_leaves_what_waits_as_well(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    with Studio(settings) as studio:
        studio.clear()
        first = studio.submit(HILLS, "me")
        assert held.came.wait(10)
        two = studio.submit(HILLS, "me")
        held.go.set()
        studio._runner._closed.set()  # nothing that ends from now on has come to its end by itself
    with Studio(settings) as studio:
        studio.clear()
        found = {one.id: one.ran for one in studio.queue.earlier()}
        assert found == {first.id: True, two.id: False}
        studio.queue.drop([first.id])
        studio.queue.drop([first.id, "unheard of"])
    with Studio(settings) as studio:
        studio.clear()
        assert [one.id for one in studio.queue.earlier()] == [two.id]


def test_a_command_keeps_nothing_and_neither_do_others_than_the_person_at_this_machine(settings: Settings) -> None:
    with Studio(settings) as studio:
        studio.submit(HILLS).result()
        assert not studio.home.queue.exists()
    password = {"password": "a password", "profile": "lan"}
    for more in (password, {"profile": "space"}):
        with Studio(Settings(**{**settings.model_dump(), **more, "_env_file": None})) as studio:  # pyright: ignore
            studio.clear()
            studio.submit(HILLS, "me").result()
            assert not studio.home.queue.exists()


def test_a_full_disk_costs_the_memory_of_a_job_and_not_the_job(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Studio(settings) as studio:
        studio.clear()

        def full(*_: object) -> None:
            raise StudioError("disk_full", path="/")

        monkeypatch.setattr(files, "write", full)
        job = studio.submit(HILLS, "me")
        assert job.result().files
        studio.queue.move(studio.submit(HILLS, "me").id, "me", "front")
