"""The index against a plain list of the same items: whatever is asked, both say the same."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from studio.library.index import Index, Query
from studio.library.items import Item, folded
from studio.library.marks import Mark, Marks

LETTERS = st.text(st.sampled_from("aAbßİ狐狸 ％%_\\'\"ÄäÅéé\t"), max_size=12)
TASKS = ("image", "music", "chat")


def plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@st.composite
def shelves(draw: st.DrawFn) -> list[Item]:
    count = draw(st.integers(0, 9))
    return [
        Item(
            id=f"image/{number}.png", task=draw(st.sampled_from(TASKS)), kind="picture", at=draw(st.integers(0, 5)),
            title="t", model="m", words=folded(draw(LETTERS)),
        )
        for number in range(count)
    ]  # fmt: skip


@settings(max_examples=150)
@given(shelves(), LETTERS, st.sampled_from(((), ("image",), ("music", "chat"))), st.integers(0, 5), st.integers(1, 4))
def test_search_filters_and_pages_say_what_a_list_says(
    shelf: list[Item], text: str, tasks: tuple[str, ...], since: int, limit: int
) -> None:
    index = _SHARED
    index.clear()
    index.put([("image", item) for item in shelf])
    expected = [
        item.id
        for item in sorted(shelf, key=lambda item: (item.at, item.id), reverse=True)
        if all(word in item.words for word in plain(text).split())
        and (not tasks or item.task in tasks)
        and item.at >= since
    ]
    query = Query(text, tasks=tasks, since=since)  # pyright: ignore
    found, after = [], ""
    while True:
        page = index.page(query, after, limit, count=True)
        assert page.count == len(expected)
        found += [item.id for item in page.items]
        after = page.following
        if not after:
            break
    assert found == expected


SAID = st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from(("x", "狐狸", "y z")), unique=True), LETTERS)


@settings(max_examples=60)
@given(st.lists(SAID, max_size=8), st.integers(0, 40))
def test_the_last_marks_count_and_half_a_line_costs_only_itself(
    said: list[tuple[str, list[str], str]], cut: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        marks, last, place = Marks(Path(folder)), dict[str, Mark](), 0
        file = Path(folder, ".marks.jsonl")
        for id, tags, note in said:
            mark = Mark(tuple(tags), note)
            marks.put({id: mark})
            told, place = marks.since(place)
            assert told == {id: mark}
            last[id] = mark
        assert marks.since(0)[0] == last
        if said and cut:
            whole = file.read_bytes()
            file.write_bytes(
                whole + whole[: min(cut, len(whole) - 1)].split(b"\n")[0][:-1]
            )  # killed while it was written
            marks.put({"after": Mark(("t",))})
            assert marks.since(0)[0] == {**last, "after": Mark(("t",))}


_SHARED = Index(Path(tempfile.mkdtemp()) / "index.sqlite")
