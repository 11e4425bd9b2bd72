"""How doubt is said to a person, and that what is for machines is left alone."""

from __future__ import annotations

import pytest

from studio.engines.caption.lexicon import Lexicon, phrases
from studio.requests import CaptionRequest
from studio.tasks.caption import doubt

UNSURE = (("caption_unsure", {"percent": 31}),)


@pytest.mark.parametrize(
    ("caption", "request_", "said"),
    [
        ("A ball on grass.", {}, "I am not sure: perhaps a ball on grass."),
        ("绿色的球", {"prompt": "中文"}, "我不确定：也许是绿色的球。"),
        ("一个球。", {}, "我不确定：也许是一个球。"),
        ("ball, grass", {"style": "tags"}, "ball, grass"),
        ("a ball", {"style": "prompt"}, "a ball"),
        ("A ball.", {"style": "alt"}, "A ball."),
        ("my a ball", {"opening": "my"}, "my a ball"),
    ],
)
def test_doubt_is_said_where_a_person_is_spoken_to(caption: str, request_: dict[str, str], said: str) -> None:
    assert doubt.spoken(caption, UNSURE, CaptionRequest(image=b"", **request_)) == said  # type: ignore[arg-type]
    assert doubt.spoken(caption, (), CaptionRequest(image=b"", **request_)) == caption  # type: ignore[arg-type]
    assert doubt.confidence(UNSURE) == 31


@pytest.mark.parametrize("code", doubt.STRANGE)
def test_a_picture_of_no_thing_is_an_error_in_a_folder_and_a_sentence_elsewhere(code: str) -> None:
    error = doubt.error(((code, {}),))
    assert error is not None
    assert error.code == code
    spoken = {
        doubt.spoken("", ((code, {}),), CaptionRequest(image=b"", prompt=asked)) for asked in ("", "中文", "English")
    }
    assert len(spoken) == 2
    assert all(said[0] != "[" for said in spoken)
    assert doubt.error(UNSURE) is None


def test_a_name_is_said_whole_or_not_at_all() -> None:
    names = [["dishrag", "抹布", "cloth,kitchen", "厨房"], ["bell cote", "钟楼", "", ""]]
    said_or_not = {
        "a dishrag": True, "a dishra ": False, "a bell cote cote": False, "a bell cote or a dishrag.": True,
        "a wet dishrag": False, "Tags: cloth": True,
    }  # fmt: skip
    for said, good in said_or_not.items():
        lexicon, fits = Lexicon(phrases(names, [0, 1, 2], "en")), True
        for byte in said.encode():
            fits = fits and lexicon.allows(bytes([byte]))
            lexicon.feed(bytes([byte]))
        assert fits == good, said
    lexicon = Lexicon(phrases(names, [1], "zh"))
    lexicon.feed("钟楼".encode()[:4])
    assert not lexicon.whole()
    assert lexicon.allows("楼".encode()[1:])
    assert not lexicon.allows("抹布".encode())
