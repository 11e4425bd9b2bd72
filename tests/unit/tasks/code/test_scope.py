"""A completion ends with the block that the cursor was in, by the rules of its language."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.tasks.code.completion import CompletionCleaner
from studio.tasks.code.lexing import canonical, known


def insert(language: str, prefix: str, answer: str, suffix: str = "") -> str:
    """What is put in, however the answer comes in pieces; checked to be the same both ways."""
    whole = CompletionCleaner(suffix, (), prefix, language=language)
    text = whole.feed(answer) + whole.finish()
    cleaner = CompletionCleaner(suffix, (), prefix, language=language)
    assert "".join(map(cleaner.feed, answer)) + cleaner.finish() == text
    return text


JS = "function f(a) {\n  "
TWO = "return a;\n}\n\nfunction g() {\n  return 2;\n}\n"


@pytest.mark.parametrize(
    ("language", "prefix", "answer", "suffix", "code"),
    [
        # the text behind the cursor has the end already
        ("javascript", JS, TWO, "\n}\n", "return a;"),
        ("typescript", "f((a: number) => {\n  ", "return a;\n});\ng();\n", "\n});\n", "return a;"),
        ("java", "class A {\n  int a() {\n    ", "return 1;\n  }\n\n  int b() {\n    return 2;\n  }\n", "\n  }\n}\n",
         "return 1;"),
        ("c", "int f(void) {\n    ", "return 1;\n}\n\nint g(void) {\n    return 2;\n}\n", "\n}\n", "return 1;"),
        ("cpp", "int f() {\n    ", "char c = '}';\n    return c;\n}\nint g();\n", "\n}\n",
         "char c = '}';\n    return c;"),
        ("csharp", "class A {\n    int F() {\n        ", "return 1;\n    }\n\n    int G() => 2;\n}\n", "\n    }\n}\n",
         "return 1;"),
        ("go", "func f() int {\n\t", "return 1\n}\n\nfunc g() {}\n", "\n}\n", "return 1"),
        ("rust", "fn f<'a>(x: &'a str) -> usize {\n    ", "x.len()\n}\n\nfn g() {}\n", "\n}\n", "x.len()"),
        ("php", "<?php\nfunction f($a) {\n    ", "return $a;\n}\n\nfunction g() {}\n", "\n}\n", "return $a;"),
        ("css", "a {\n  ", "color: red;\n}\n\nb {\n  color: blue;\n}\n", "\n}\n", "color: red;"),
        ("json", '{\n  "a": [', '1, 2], "b": {"c": 3}}\n{', "]\n}\n", "1, 2"),
        ("ruby", "def f(a)\n  ", "a + 1\nend\n\ndef g\n  2\nend\n", "\nend\n", "a + 1"),
        ("shell", "if true; then\n  ", "echo yes\nfi\n\necho done\n", "\nfi\n", "echo yes"),
        ("html", "<ul>\n  <li>", "one</li>\n</ul>\n<p>more</p>\n", "</li>\n</ul>\n", "one"),
        # nothing has it yet: the completion brings it, and no more
        ("javascript", JS, TWO, "", "return a;\n}"),
        ("javascript", "useEffect(() => {\n  ", "run();\n}, [a]);\n\nuseOther();\n", "", "run();\n}, [a]);"),
        ("go", "func f() int {\n\t", "return 1\n}\n\nfunc g() {}\n", "", "return 1\n}"),
        ("java", "class A {\n  int a() {\n    ", "return 1;\n  }\n\n  int b() {\n    return 2;\n  }\n}\n", "",
         "return 1;\n  }"),
        ("ruby", "def f(a)\n  ", "if a\n    1\n  end\nend\n\ndef g\n  2\nend\n", "", "if a\n    1\n  end\nend"),
        ("shell", "for x in *; do\n  ", "if [ $x ]; then\n    echo ${x}\n  fi\ndone\necho end\n", "",
         "if [ $x ]; then\n    echo ${x}\n  fi\ndone"),
        ("html", "<ul>\n  <li>", "one <br> two</li>\n</ul>\n<p>more</p>\n", "", "one <br> two</li>"),
        ("sql", "SELECT name FROM users WHERE ", "name <> ';' AND id IN (1, 2);\nDROP TABLE users;\n", "",
         "name <> ';' AND id IN (1, 2);"),
        # a statement that goes on
        ("javascript", "function f(a) {\n  if (a) {\n    ", "g();\n  } else {\n    h();\n  }\n}\ni();\n", "\n}\n",
         "g();\n  } else {\n    h();\n  }"),
        ("javascript", "if (a) {\n  ", "g();\n} else {\n  h();\n}\ni();\n", "\n}\n", "g();\n} else {\n  h();"),
        ("c", "int main(void)\n{\n    ",
         "if (a)\n    {\n        b();\n    }\n    else\n    {\n        c();\n    }\n}\nint d;\n",
         "\n}\n", "if (a)\n    {\n        b();\n    }\n    else\n    {\n        c();\n    }"),
        # one definition at a time
        ("java", "class A {\n  ", "int a() {\n    return 1;\n  }\n\n  int b() {\n    return 2;\n  }\n", "\n}\n",
         "int a() {\n    return 1;\n  }"),
        ("csharp", "class A\n{\n    ", "int F()\n    {\n        return 1;\n    }\n\n    int G() => 2;\n", "\n}\n",
         "int F()\n    {\n        return 1;\n    }"),
        ("json", "", '{"a": {"b": 1}}\n{"c": 2}\n', "", '{"a": {"b": 1}}'),
        # by indentation
        ("python", "class A:\n    def f(self):\n        ", "return 1\n\n    name = 2\n", "", "return 1"),
        ("python", "def f():\n    ", 'x = """\nmargin\n"""\n    return x\n\ny = 1\n',
         "", 'x = """\nmargin\n"""\n    return x'),
        ("python", "class A:\n    def f(self):\n        for x in y:\n            ",
         "g(x)\n        return 1\n    z = 2\n", "", "g(x)\n        return 1"),
        ("yaml", "services:\n  web:\n    ", "image: nginx\n    ports:\n      - 80\n  db:\n    image: x\n", "",
         "image: nginx\n    ports:\n      - 80"),
    ],
)  # fmt: skip
def test_it_ends_with_the_block(language: str, prefix: str, answer: str, suffix: str, code: str) -> None:
    assert insert(language, prefix, answer, suffix) == code


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_ways_of_a_file_are_kept(end: str) -> None:
    prefix, answer = "func f() {\n\tif a {\n\t\t", "b()\n    }\n    c()\n}\n\nfunc g() {}\n"
    text = insert("go", prefix.replace("\n", end), answer, "\n}\n".replace("\n", end))
    assert text == "b()\n\t}".replace("\n", end)
    assert not insert("go", "func f() {\n\t", "return 1\n}\n\n", "").endswith("\n")


def test_brackets_in_strings_and_comments_do_not_count() -> None:
    answer = 'a("}"); // }\n  /* } */ b(`}`);\n}\nc();\n'
    assert insert("javascript", "function f() {\n  ", answer, "\n}\n") == answer.partition("\n}")[0]


def test_a_cursor_within_a_string_is_known_to_be_in_one() -> None:
    assert insert("javascript", 'f("', '} not the end", 1);\n}\n', '", 2);\n') == '} not the end", 1'
    assert insert("javascript", "/* ", "} still a comment */\nf();", "") == "} still a comment */\nf();"


@pytest.mark.parametrize(("name", "same"), [("C++", "cpp"), ("TSX", "typescript"), ("bash", "shell"), ("nim", "nim")])
def test_languages_have_one_name(name: str, same: str) -> None:
    assert canonical(name) == same


@pytest.mark.parametrize("language", ["javascript", "html"])
@pytest.mark.parametrize("noise", ["(", "<a ", '<a "', "'", "/*", "r#", "{}", "if\n", '\\"', "</a>", "`${", "<!-"])
def test_a_file_of_a_stranger_is_read_in_no_time(language: str, noise: str) -> None:
    began = time.process_time()
    insert(language, noise * (20_000 // len(noise)), "x", noise[::-1] * (20_000 // len(noise)))
    assert time.process_time() - began < 2


LANGUAGES = [
    "python", "javascript", "typescript", "java", "c", "cpp", "csharp", "go", "rust", "php", "ruby", "kotlin", "swift",
    "html", "css", "sql", "shell", "json", "yaml", "",
]  # fmt: skip


@settings(max_examples=150)
@given(
    pieces=st.lists(
        st.sampled_from(
            ("{", "}", "(", ")", '"', "'", "`", "\\", "//", "/*", "*/", "#", "--", "\n", "  ", ";", "else", " catch ",
             "end", "do", "if ", "fi", "def f", "<a>", "</a>", "<!--", "-->", "x",
             "é", "}\n", "} else {\n", "'}'", "'a,",
             '"""')
        ),
        max_size=25,
    ),
    prefix=st.sampled_from(
        ["", "f(", "a {\n  b {\n    ", "def f():\n    ", "<p>", "if x\n  ", '"', "/* ", "x/", "a: {'"]
    ),
    suffix=st.sampled_from(["", "}\n", "\n  }\n}\n", ")", "</p>", "\nend\n", '"']),
    language=st.sampled_from(LANGUAGES),
)  # fmt: skip
def test_the_end_does_not_depend_on_how_the_answer_was_cut(pieces, prefix, suffix, language) -> None:
    insert(language, prefix, "".join(pieces), suffix)


def test_every_language_of_the_table_is_known() -> None:
    assert [name for name in LANGUAGES if not known(name)] == ["yaml", ""]
