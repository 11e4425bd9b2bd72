"""Our scripts and styles as one file each: what is in them, and under which name browsers keep them."""

from __future__ import annotations

import re

import pytest

from tabs.shell import bundle, head


def test_every_script_and_sheet_of_the_folder_is_in_a_bundle() -> None:
    files = {file.name for file in bundle.FILES.iterdir() if file.suffix in (".js", ".css")}
    assert files == {*bundle.SCRIPTS, *bundle.STYLES}


def test_the_names_follow_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    before = bundle.script()
    assert re.fullmatch(r"page-[0-9a-f]{12}\.js", before.name)
    monkeypatch.setattr(bundle, "SCRIPTS", ("page.js",))
    assert bundle.script.__wrapped__().name != before.name


def test_the_sheet_says_each_rule_for_the_page_and_for_the_inside_of_gradios_parts() -> None:
    css = "a,.b:is(.c,.d){color:red}.dark .e{color:blue}@media (max-width:9px){f{top:0}}@keyframes g{to{top:0}}"
    inside = bundle._WITHIN
    assert "".join(bundle._strengthened(css)) == (
        f"a,.b:is(.c,.d),{inside} a,{inside} .b:is(.c,.d){{color:red}}"
        f".dark .e,.dark {inside} .e{{color:blue}}"
        f"@media (max-width:9px){{f,{inside} f{{top:0}}}}"
        "@keyframes g{to{top:0}}"
    )


@pytest.mark.parametrize(("language", "word"), [("en", "Music"), ("zh-CN", "音乐")])
def test_the_frame_is_in_the_language_of_who_asks(language: str, word: str) -> None:
    assert word in head.frame(language).decode()
