"""Adding to captions: what a text says already is not added again, however often a folder is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from studio.media.encodings import decoded, likeliest
from studio.tasks.caption.edits import Edits, written
from studio.tasks.caption.merge import folded, is_list, news
from studio.tasks.caption.runs import Desk, Manner

TAGS = ("red", "Apple", "long hair", "long_hair", "miku \\(cosplay\\)", "miku (cosplay)", "1girl", ">_<", "苹果", "ﾘﾝｺﾞ")
tag_lists = st.lists(st.sampled_from(TAGS), min_size=1, max_size=8).map(", ".join)
sentences = st.lists(
    st.sampled_from(("A cat.", "A cat, on a mat.", "It sleeps!", "The sun, low, shines.", "no stop at the end")),
    min_size=1, max_size=4,
).map(" ".join)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        ("red, apple, fruit", "apple, photo, fruit", "red, apple, fruit, photo"),
        ("Red, APPLE", "red, apple", "Red, APPLE"),
        ("long_hair, 1girl", "long hair, solo", "long_hair, 1girl, solo"),
        ("hatsune miku \\(cosplay\\)", "hatsune miku (cosplay), solo", "hatsune miku \\(cosplay\\), solo"),
        ("hatsune_miku_(cosplay)", "hatsune miku \\(cosplay\\)", "hatsune_miku_(cosplay)"),
        ("red,  apple ,", "apple", "red,  apple ,"),
        ("red, apple,", "green", "red, apple, green"),
        ("红色，苹果", "苹果，水果", "红色，苹果，水果"),
        ("red\napple\n", "apple, green", "red\napple, green\n"),
        ("redder, pineapple", "red, apple", "redder, pineapple, red, apple"),
        ("", "red, red, Red", "red, red, Red"),
        ("blue", "red, red, Red", "blue, red"),
    ],
)
def test_tags_that_are_there_are_not_added(old: str, new: str, after: str) -> None:
    assert written(old, new, "append", Edits(), tags=True).text == after


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        ("My words. A cat sits.", "A cat sits. It is red.", "My words. A cat sits. It is red."),
        ("my words, a red cat on a mat", "a red cat on a mat", "my words, a red cat on a mat"),
        ("A dog. a cat, sitting", "a cat, sitting", "A dog. a cat, sitting"),
        ("this is not a cat at all", "a cat", "this is not a cat at all, a cat"),
        ("一只猫。", "一只猫。它在睡觉。", "一只猫。它在睡觉。"),
        ("first line\na cat", "A cat", "first line\na cat"),
    ],
)
def test_sentences_that_are_there_are_not_added(old: str, new: str, after: str) -> None:
    assert written(old, new, "append", Edits(), tags=False).text == after


@example("苹果", "red, ﾘﾝｺﾞ", "prepend", "zxc", 16)
@given(tag_lists, tag_lists, st.sampled_from(("append", "prepend")), st.sampled_from(("", "zxc")), st.integers(0, 40))
def test_tags_added_again_change_nothing(old: str, new: str, mode: str, trigger: str, limit: int) -> None:
    edits = Edits(trigger=trigger, token_limit=limit and limit + 10)
    once = written(old, new, mode, edits, tags=True).text  # type: ignore[arg-type]
    assert written(once, new, mode, edits, tags=True).text == once  # type: ignore[arg-type]
    added = [folded(tag) for tag in once.split(", ")]
    assert len(added) - len(set(added)) <= len(old.split(", ")) - len({folded(tag) for tag in old.split(", ")})
    assert old in once


@given(sentences, sentences, st.sampled_from(("append", "prepend")), st.integers(0, 40))
@example("It sleeps!", "The sun, low, shines. A cat.", "append", 3)
def test_sentences_added_again_change_nothing(old: str, new: str, mode: str, limit: int) -> None:
    edits = Edits(token_limit=limit and limit + 10)
    once = written(old, new, mode, edits, tags=False).text  # type: ignore[arg-type]
    assert written(once, new, mode, edits, tags=False).text == once  # type: ignore[arg-type]
    assert old in once


@pytest.mark.parametrize("style", ["tags", "plain", "alt"])
@pytest.mark.parametrize("mode", ["append", "prepend"])
@pytest.mark.parametrize(
    "data",
    [b"red, apple,", b"red, apple\r\n", b"\xef\xbb\xbfred, apple\n", "红色，苹果".encode("gbk"), b"caf\xe9, red"],
)
def test_a_folder_that_is_run_three_times_has_each_word_once(
    tmp_path: Path, style: str, mode: str, data: bytes
) -> None:
    root = tmp_path / "pictures"
    root.mkdir()
    (root / "a.png").write_bytes(b"")
    (root / "a.txt").write_bytes(data)
    seen = []
    for _ in range(3):
        run = Desk(tmp_path / "captions").of_folder(root, Manner(mode=mode), again=True)  # type: ignore[arg-type]
        with run.working():
            run.settle({"style": style})
            run.begin()
            line = run.record("a.png", "apple, a red fruit on a table, 苹果")
            run.finish()
        seen.append((root / "a.txt").read_bytes())
    assert seen[0] == seen[1] == seen[2]
    assert line.state == "same"
    text = seen[0].decode()
    assert text.count("a red fruit on a table") == 1
    assert (decoded(data) or "").strip(" ,\r\n") in text
    assert text.endswith("\r\n") == data.endswith(b"\r\n")
    assert not text.startswith("\ufeff")


def test_where_nothing_is_new_the_file_stays_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    data = "\ufeffred, Apple ,\r\n".encode("utf-16-le")
    (tmp_path / "pictures" / "a.png").write_bytes(b"")
    (tmp_path / "pictures" / "a.txt").write_bytes(data)
    run = Desk(tmp_path / "captions").of_folder(tmp_path / "pictures", Manner(mode="append"))
    with run.working():
        run.begin()
        assert run.record("a.png", "apple").state == "same"
    assert (tmp_path / "pictures" / "a.txt").read_bytes() == data


# Text of any encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("红色的苹果，水果", "gbk"), ("红色的苹果", "utf-16"), ("red café", "cp1252"), ("りんごと猫", "cp932"),
     ("красное яблоко", "cp1251"), ("红色", "utf-8-sig"), ("naïve, Größe", "utf-16-be"),
     ("it’s a dog", "cp1252"), ("a dog—it barks", "cp1252"), ("a “red” one", "cp1252"), ("a cat", "utf-16-le"),
     ("a cat", "utf-32"), ("dogs猫", "cp932")],
)  # fmt: skip
def test_captions_of_other_programs_are_read(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert decoded(b"\xfe\xff" + data if encoding == "utf-16-be" else data) == text


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(1, 200)), b"\xff\xff\xff\x00"])
def test_what_is_no_text_is_not_taken_for_one(data: bytes) -> None:
    assert decoded(data) is None


def test_lists_and_sentences_are_told_apart() -> None:
    assert is_list("1girl, solo, long hair, looking at viewer")
    assert is_list("红色，苹果，水果")
    assert not is_list("a photo of a cat, with a hat that is much too large, in the garden of its house")
    assert not is_list("A cat. A dog, a mouse, a house.")
    assert news("a", "a", tags=True) == ""


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["苹果"], "gb18030"), (["新建文件夹", "照片"], "gb18030"), (["猫"], "gb18030"), (["りんご"], "cp932"),
        (["写真", "桜の木"], "cp932"), (["café"], "cp1252"), (["Über den Wolken"], "cp1252"), (["naïve"], "cp1252"),
        (["café"], "cp437"), (["Größe"], "cp437"), (["蘋果"], "big5"), (["새 폴더", "대한민국", "고양이"], "cp949"),
        (["яблоко"], "cp1251"), (["яблоко"], "cp866"), (["señorita", "Åse"], "cp1252"), (["猫", "café"], "utf-8"),
        (["北京风景.png"], "gb18030"), (["海边日出.png"], "gb18030"), (["사과.png"], "cp949"), (["한국.png"], "cp949"),
    ],
)  # fmt: skip
def test_the_encoding_of_names_is_the_likeliest(names: list[str], encoding: str) -> None:
    samples = [name.encode(encoding) for name in names]
    found = likeliest(samples)
    assert [sample.decode(found) for sample in samples] == names
