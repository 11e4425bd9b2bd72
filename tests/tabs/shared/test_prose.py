"""What people and models wrote is shown whole; what is Markdown is drawn; nothing of it runs."""

from __future__ import annotations

import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabs.shared import formulas
from tabs.shared.prose import prose, raw


class Reader(HTMLParser):
    """What a browser makes of it: the text, and every element with its attributes."""

    def __init__(self, drawn: str) -> None:
        super().__init__()
        self.text, self.elements = "", []
        self.feed(drawn)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}


def shown(words: str) -> str:
    """The text of an answer as it is seen, without the button of a listing."""
    return Reader(prose(words).replace(">Copy</button>", "></button>")).text.strip()


SAME = [
    "Use List<String> and more text after it.", "if a<b and c>d then go on with it",
    "#include <stdio.h> comes first, then main", "Vec<u8> is a type. Second sentence.",
    "Type <your name> here and press OK", "<?php echo 1 ?> then text", "x < 5 and y > 3 stays",
    "vector<int> v;\nint main() {}", "A <b>bold</b> word and <br> break", "def __init__(self): self.x = 2*3*4",
    "Dict[str, List[int]] is fine", "use <think> tag please", "It ends with </think> here",
    "<details><summary>S</summary>body</details> after", 'cout << "hi" << endl; // text', "email me <a@b.com> ok",
    "Use Map<K, V> and Foo<Bar<Baz>> then more", "template <typename T> class X {}; end", "<p>para</p> rest",
    "JSX: <MyButton onClick={go}>Hi</MyButton> rest of it", 'HTML: <input type="text"> rest', "<!-- a comment --> b",
    "<![CDATA[x]]> y", "</div> z", "a & b && c &nbsp", "regex \\(\\d+\\) and ^\\s+\\.\\w*$",
    "path C:\\[temp\\] \\\\server\\x",
    "match \\(foo\\) literally", "it costs $5 and $10, or $$5 or $$10", "x**2 + 2**3, a_b_c, __name__, *args, **kwargs",
    "[x]: https://example.com/a%20b", "see [1] and [2][3]", "<https://example.com>", "trailing \\", "{{a}} ${b} {c}",
    "مرحبا بالعالم 123 hello 😀👨‍👩‍👧‍👦 你好", "~strike~ and a ~ b", "- [ ] todo".removeprefix("- "),
]  # fmt: skip


@pytest.mark.parametrize("words", SAME)
def test_what_is_not_markdown_stays_visible_in_an_answer(words: str) -> None:
    assert shown(words) == words


@pytest.mark.parametrize(
    "words", [*SAME, "# no heading", "*a* __b__ `c`\n\n  two", "| a |\n|---|", "$$x$$ \\(x\\)", "\n\n a"]
)
def test_a_question_is_shown_as_it_was_typed(words: str) -> None:
    assert Reader(raw(words)).text == words


@pytest.mark.parametrize("words", ["[]()", "[here]()", "a [b `c`]( ) d"])
def test_a_link_that_leads_nowhere_is_text(words: str) -> None:
    read = Reader(prose(words))
    assert read.text.replace(" ", "").strip() == words.replace(" ", "").replace("`", "")
    assert "a" not in [tag for tag, _ in read.elements]


@given(st.text(alphabet="ab<>&/\"'\\`*_[]()!$#|-+.{}\n =:@%~", max_size=60))
def test_whatever_is_written_only_harmless_elements_come_out(words: str) -> None:
    plain = "p br em strong code pre ul ol li blockquote h1 h2 h3 h4 h5 h6 hr a s div span button table thead tbody"
    allowed = {*plain.split(), "tr", "th", "td"} | formulas._PARTS
    for tag, attributes in Reader(prose(words)).elements:
        assert tag in allowed
        assert not [name for name in attributes if name.startswith("on") or name in ("srcdoc", "formaction", "src")]
        assert attributes.get("href", "https:").startswith(("https:", "http:", "mailto:"))
    assert Reader(raw(words)).text == words


@given(st.text(alphabet="abcxyz<>&/\"' =;?.,", max_size=60))
def test_no_letter_and_no_bracket_of_a_sentence_is_lost(words: str) -> None:
    assert "".join(shown(words).split()) == "".join(html.unescape(words).split()).removeprefix(">").lstrip(">") or (
        words.lstrip().startswith((">", "="))
    )


def test_markdown_is_drawn() -> None:
    drawn = Reader(
        prose("# Head\n\n**bold** *it* `a<b>`\n\n1. one\n   - two\n\n> q\n\n|a|b|\n|-|-:|\n|1|`x|y`|\n\n---")
    )
    assert {"h1", "strong", "em", "code", "ol", "ul", "blockquote", "table", "td", "hr"} <= drawn.tags
    assert "a<b>" in drawn.text
    assert "x|y" in drawn.text
    assert Reader(prose("中文**粗体**中文")).tags == {"p", "strong"}


def test_a_row_that_is_longer_than_its_head_is_seen_whole() -> None:
    assert Reader(prose("|a|\n|-|\n|1|lost|")).text.split() == ["a", "1", "lost"]


def test_code_is_code_and_keeps_every_character() -> None:
    code = "def f(x: list[int]) -> int:\n\treturn x[0]  # a <b> & c\n\n\n"
    assert code in Reader(prose(f"```python\n{code}```")).text
    assert "graph TD; A-->B;" in Reader(prose("```mermaid\ngraph TD; A-->B;\n```")).text
    assert "never closed <b>" in Reader(prose("```\nnever closed <b>")).text


FORMULAS = [
    "\\(a^2+b^2\\)", "$$\\int_0^1 x\\,dx$$", "\\[ x = 1 \\]", "so \\[ x = 1 \\] follows", "$$\nx\n$$", "\\(n\\)",
    "\\[\n\\begin{aligned}\na &= b \\\\\n- &= c\n\\end{aligned}\n\\]", "\\(O(n \\log n)\\)", "$$a < b$$",
]  # fmt: skip


@pytest.mark.parametrize("words", FORMULAS)
def test_a_formula_is_drawn(words: str) -> None:
    assert "math" in Reader(prose(words)).tags


def test_a_formula_that_cannot_be_drawn_is_shown_as_it_was_written() -> None:
    assert shown("$$\\frac{1}$$").replace("\n", "") in ("$$\\frac{1}$$", "1")
    assert shown("$$a & b$$") == "$$a & b$$"


def test_a_formula_brings_no_link_and_no_style() -> None:
    for words in ("$$\\href{javascript:alert(1)}{x}$$", "\\(\\color{red}{x}\\)", "$$\\htmlData{x=1}{y}$$"):
        for _, attributes in Reader(prose(words)).elements:
            assert not {"href", "style", "onclick"} & attributes.keys()


def test_links_go_to_the_web_in_a_page_of_their_own_and_pictures_are_words() -> None:
    words = "[js](javascript:alert(1)) [d](data:text/html,x) [w](https://example.com) ![p](http://h/p.png) http://h/a"
    drawn = Reader(prose(words + ' <a href="http://h/b">'))
    links = [attributes for tag, attributes in drawn.elements if tag == "a"]
    assert [link["href"] for link in links] == ["https://example.com", "http://h/a"]
    assert all("noopener" in str(link["rel"]) and link["target"] == "_blank" for link in links)
    assert "img" not in drawn.tags
    for kept in ("[js](javascript:alert(1))", "![p](http://h/p.png)", '<a href="http://h/b">'):
        assert kept in drawn.text


@pytest.mark.parametrize("words", ["> " * 300 + "deep", "- " * 300 + "deep", "[" * 3000, "*" * 3001 + "a", "`" * 501])
def test_what_would_take_the_reader_under_is_shown_as_it_is(words: str) -> None:
    assert prose(words)
    if "deep" in words:
        assert "deep" in Reader(prose(words)).text
