"""Repository: other files before a prompt, in the form that a family of models was taught, or as comments.

The forms are those of the models' own documents: Qwen2.5-Coder's technical report, StarCoder 2's paper, the cards of
Mellum and DeepSeek-Coder, Mistral's requests to Codestral as editors send them. llama.cpp's own form for other files
(its `input_extra`) is Qwen's. CodeGemma's documents name the token between files and do not say where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.request_parts import CodeFile
from studio.tasks.code.fim import FimFamily
from studio.tasks.code.lexing import canonical

Pieces = tuple[tuple[bool, str], ...]
PROJECT = "project"
"""What a repository is called: nobody knows its name, and models were taught with all kinds."""
UNNAMED = "untitled"


@dataclass(frozen=True, slots=True)
class Repository:
    """One way to write other files before the one that is completed.

    Attributes:
        family: the name of the family of marks.
        file: what stands before the name of a file; a special token where `special`.
        project: the token before the name of the repository; empty for none.
        project_line: the repository's name ends its line.
        between: `file` stands between two files and not before the first.
        gap: what stands between two files besides.
        within: what stands behind the mark of the prefix: nothing of it, the file's own name, or all other files too.
    """

    family: str
    file: str
    project: str = ""
    project_line: bool = True
    special: bool = True
    between: bool = False
    gap: str = ""
    within: Literal["nothing", "name", "all"] = "nothing"

    @property
    def tokens(self) -> tuple[str, ...]:
        """Special tokens that it needs."""
        return tuple(token for token in (self.project, self.file if self.special else "") if token)

    def pieces(self, family: FimFamily, files: Sequence[CodeFile], path: str, prefix: str, suffix: str) -> Pieces:
        """The whole prompt in order, as (is a special token, text)."""
        head: list[tuple[bool, str]] = []
        if self.project:
            head += [(True, self.project), (False, PROJECT + ("\n" if self.project_line else ""))]
        for number, file in enumerate((*files, CodeFile(path or UNNAMED))):
            if number or not self.between:
                head.append((self.special, self.file))
            ended = number < len(files) and file.text and not file.text.endswith("\n")
            gap = self.gap if number < len(files) else ""
            head.append((False, f"{file.name}\n{file.text}" + ("\n" if ended else "") + gap))
        if self.within == "nothing":
            return joined((*head, *family.pieces(prefix, suffix)))
        if self.within == "name":
            (_, name) = head.pop()
            return joined((*head, *family.pieces(name + prefix, suffix)))
        return joined(family.pieces("".join(text for _, text in head) + prefix, suffix))


FORMS = (
    Repository("qwen", "<|file_sep|>", "<|repo_name|>"),
    Repository("qwen", "<|file_separator|>", between=True),
    Repository("starcoder", "<file_sep>", "<repo_name>", project_line=False, within="name"),
    Repository("mellum", "<filename>"),
    Repository("deepseek", "#", special=False),
    Repository("codestral", "+++++ ", special=False, gap="\n", within="all"),
)
"""Tried in order, for a family's marks and the tokens that its vocabulary has."""


def repository_form(family: FimFamily, has_token: Callable[[str], bool]) -> Repository | None:
    """How other files are written for a model; None where its family has no way of its own."""
    return next((form for form in FORMS if form.family == family.name and all(map(has_token, form.tokens))), None)


def joined(pieces: Sequence[tuple[bool, str]]) -> Pieces:
    """Neighbouring texts as one, so that they are read as one; empty ones left out."""
    whole: list[tuple[bool, str]] = []
    for special, text in pieces:
        if not special and whole and not whole[-1][0]:
            whole[-1] = (False, whole[-1][1] + text)
        elif text:
            whole.append((special, text))
    return tuple(whole)


_COMMENTS = {"sql": "-- {}", "html": "<!-- {} -->", "css": "/* {} */", "latex": "% {}"}
_HASHES = ("python", "ruby", "shell", "yaml", "r", "dockerfile", "markdown", "")


def commented(files: Sequence[CodeFile], language: str) -> str:
    """Other files as comments of the language, to stand before the text of the file; empty where there are none."""
    name = canonical(language)
    form = _COMMENTS.get(name, "# {}" if name in _HASHES else "// {}")
    closing = form.partition("{}")[2].strip()
    lines: list[str] = []
    for file in files:
        lines.append(form.format(f"Path: {file.name}"))
        for line in file.text.rstrip("\n").split("\n"):
            said = line.replace(closing, " ".join(closing)) if closing else line
            lines.append(form.format(said).rstrip() if said.strip() else "")
        lines.append("")
    return "\n".join(lines) + "\n" if lines else ""
