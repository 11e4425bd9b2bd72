"""A completion is marked by whether the file is correct with it, and only for faults of its own."""

import pytest

from studio.tasks.code.syntax import CHECKED, LONGEST, parses

EXAMPLES = {
    "javascript": ("function f(a) {\n  ", "return a;", "return (a;", "\n}\n"),
    "typescript": ("const f = (a: number): number => {\n  ", "return a;", "return a: ;", "\n};\n"),
    "java": ("class A {\n  int f() {\n    ", "return 1;", "return 1 +;", "\n  }\n}\n"),
    "c": ("int f(void) {\n  ", "return 1;", "return (1;", "\n}\n"),
    "cpp": ("int f() {\n  ", "return 1;", "return (1;", "\n}\n"),
    "csharp": ("class A {\n  int F() {\n    ", "return 1;", "return (1;", "\n  }\n}\n"),
    "go": ("package a\n\nfunc f() int {\n\t", "return 1", "return (1", "\n}\n"),
    "rust": ("fn f() -> i32 {\n    ", "1", "(1", "\n}\n"),
    "php": ("<?php\nfunction f() {\n  ", "return 1;", "return (1;", "\n}\n"),
    "kotlin": ("fun f(a: Int): Int {\n    ", "return a + 1", "return (a + 1", "\n}\n"),
    "swift": ("func f(_ a: Int) -> Int {\n    ", "return a + 1", "return (a + 1", "\n}\n"),
    "ruby": ("def f\n  ", "[1].sum", "[1.sum", "\nend\n"),
    "html": ("<ul>\n  <li>", "one", "<b", "</li>\n</ul>\n"),
    "css": ("a {\n  ", "color: red;", "color red", "\n}\n"),
    "sql": ("SELECT name FROM users WHERE ", "id = 1", "id = (1", ";\n"),
    "shell": ("if true; then\n  ", "echo yes", "echo $(yes", "\nfi\n"),
    "json": ('{"a": [', "1, 2", "1, , 2", "]}\n"),
    "yaml": ("a:\n  - ", "b: 1", "b: [1", "\n  - c\n"),
    "python": ("def f(a):\n    ", "return a", "return (a", "\n\n\nf(1)\n"),
}


def test_there_is_an_example_of_every_language_that_is_checked() -> None:
    assert set(EXAMPLES) == set(CHECKED)


@pytest.mark.parametrize("language", EXAMPLES)
def test_right_and_wrong_are_told_apart(language: str) -> None:
    prefix, right, wrong, suffix = EXAMPLES[language]
    assert parses(prefix, right, suffix, language) is True
    assert parses(prefix, wrong, suffix, language) is False


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "language", "told"),
    [
        ("def f(a):\n    ", "return a", "\n\n\ndef g(:\n", "python", True),  # the fault stands further down
        ("x = (\n\ndef f(a):\n    ", "return a", "\n", "python", None),
        ("x = ", "é\x00", "", "python", None),
        ("let x = ;\nfunction h() {\n  ", "return 1;", "\n}\n", "javascript", True),
        ("function f() {\n  ", "return 1;", "", "javascript", True),  # what is open can be closed
        ("function f() {\n  ", "return (1;", "", "javascript", False),
        ("class A(val name: String) {\n    fun hello() = ", '"Hello, ${name.uppercase()}"', "\n}\n", "kotlin", True),
        ("val x = ;\nfun h(): Int {\n    ", "return 1", "\n}\n", "kotlin", True),
        ("guard let x = y else { ", "return nil }", "\n", "swift", True),
        ("struct A {\n    var n = 1\n    func f() -> String { ", '"\\(n)"', " }\n}\n", "swift", True),
        ("func f() {\n    ", 'print("a")', "", "swift", True),
        ("class A {\n  int a() {\n    ", "return 1;\n  }", "", "java", True),
        ("Hello ", "world", "", "markdown", None),
        ("x = 1\n" * LONGEST, "y = 1", "", "python", None),
    ],
)
def test_faults_of_the_file_do_not_count(prefix: str, text: str, suffix: str, language: str, told: bool | None) -> None:
    assert parses(prefix, text, suffix, language) is told
