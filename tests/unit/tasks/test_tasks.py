"""Every task answers for itself, at one place, and knows nothing of the others."""

import ast
from pathlib import Path
from typing import get_args

import pytest
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.request_parts import Lora, Message
from studio.requests import (
    TASKS,
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Request,
    UpscaleRequest,
)
from studio.tasks.table import RULES, rules

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(file for folder in ("studio", "tabs") for file in (ROOT / folder).rglob("*.py"))
FOLDERS = {folder.name for folder in (ROOT / "studio" / "tasks").iterdir() if (folder / "__init__.py").exists()}

LEFT = {
    "studio/cli/run.py": (2, "a caption that is written as it comes; music is read aloud before it is played"),
    "studio/engines/demo/fake.py": (8, "one engine for every task: what it allocates"),
    "studio/engines/image/passes.py": (1, "narrows: a diffusion model paints only"),
    "studio/engines/image/resample.py": (1, "narrows: the engine enlarges only"),
    "studio/engines/image/upscale_network.py": (1, "narrows: the engine enlarges only"),
    "studio/engines/image/upscaler.py": (1, "narrows: the engine enlarges only"),
    "studio/engines/music/composer.py": (1, "narrows: the engine composes only"),
    "studio/engines/music/takes.py": (1, "narrows, for all engines of music"),
    "studio/engines/text/llama.py": (2, "one engine for conversations and code"),
    "tabs/image/detail.py": (1, "narrows: the recipe of a picture"),
    "studio/engines/text/transformers_lm.py": (3, "one engine for conversations and code"),
    "studio/jobs/as_typed.py": (1, "narrows: only code is completed while somebody types"),
    "studio/jobs/planner.py": (
        4,
        "plans are the jobs': cells of pictures, captions to choose from; the engine hears and reads music",
    ),
    "studio/jobs/plans/single.py": (1, "narrows: only pictures can all be skipped"),
    "studio/jobs/sketches.py": (1, "narrows: only pictures are painted while somebody types"),
    "studio/jobs/suggestions.py": (1, "narrows: a folder run has captions only"),
    "studio/lab/noise.py": (2, "narrows: how a picture is painted"),
    "studio/lab/space.py": (2, "narrows: an autoencoder of pictures"),
    "studio/lab/writes.py": (2, "narrows: how a chat model writes"),
    "studio/manager/backends/remote/following.py": (1, "the size of the picture that previews come to"),
    "studio/manager/backends/engine.py": (1, "only pictures name files beside the models"),
    "studio/manager/backends/remote/openai.py": (3, "an address for each that such servers have one for"),
    "studio/manager/backends/remote/outputs.py": (2, "what is looked at in an output of somebody else's"),
    "studio/tasks/image/embedding_files.py": (1, "narrows: only pictures have textual inversions"),
    "studio/tasks/image/lora_files.py": (1, "narrows: only pictures have adaptations"),
    "tabs/code/tab.py": (1, "narrows: a job of the code tab asked for code"),
    "tabs/image/cells.py": (1, "narrows: an enlargement has no places to fill"),
    "tabs/image/like_this.py": (1, "narrows: an enlargement leads to its painting"),
    "tabs/image/reproduce.py": (1, "an enlargement is offered again from its file"),
    "tabs/image/tab.py": (1, "narrows: an enlargement is offered again from its file"),
}
"""Where a request is still told by its kind, how often at most, and why it is no question for the table."""


def told_apart(tree: ast.AST) -> int:
    """How often the code asks what kind of request it has."""
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            asked = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
            count += any(name.endswith("Request") for name in asked)
        elif isinstance(node, ast.MatchClass):
            count += ast.unparse(node.cls).endswith("Request")
    return count


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(request, ImageRequest)",
        "a = isinstance(job.request, (ImageRequest, MusicRequest))",
        "isinstance(one, ImageRequest | UpscaleRequest)",
        "match request:\n    case ImageRequest(): pass",
    ],
)
def test_the_check_below_sees(code: str) -> None:
    assert told_apart(ast.parse(code)) == 1


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_what_a_task_decides_is_asked_of_the_table(file: Path) -> None:
    most, _ = LEFT.get(file.relative_to(ROOT).as_posix(), (0, ""))
    assert told_apart(ast.parse(file.read_text(encoding="utf-8"))) <= most


def test_no_task_knows_another() -> None:
    tasks = ROOT / "studio" / "tasks"
    assert set(TASKS) - {"upscale"} == FOLDERS, "enlarging belongs to pictures"
    for folder in FOLDERS:
        for file in (tasks / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if isinstance(node, ast.ImportFrom) and node.module == "studio.tasks":
                    names += [f"studio.tasks.{alias.name}" for alias in node.names]
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                known = {name.split(".")[2] for name in names if name.startswith("studio.tasks.")}
                assert not known & (FOLDERS - {folder}), file
                assert not known & {"table", "limits"}, f"{file}: these know every task"


def test_every_task_has_its_rules() -> None:
    assert tuple(RULES) == TASKS
    for kind in get_args(Request):
        assert set(RULES[kind.__dataclass_fields__["task"].default].numbers) <= set(kind.__dataclass_fields__)


EACH: tuple[tuple[Request, str, tuple[bytes, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (ChatRequest(messages=(Message("user", "a"), Message("user", "b"))), "b", (), (), ("brief",)),
    (CodeRequest(prefix="x" * 99 + "y"), "x" * 59 + "y", (), (), ("brief",)),
    (CaptionRequest(image=b"i", prompt="who?"), "who?", (b"i",), ("image",), ("brief",)),
    (UpscaleRequest(image=b"i"), "", (b"i",), ("image",), ("small_tiles", "scale")),
    (MusicRequest(prompt="a waltz", sound=b"s"), "a waltz", (b"s",), ("sound",), ("shorter",)),
    (MusicRequest(prompt="a waltz"), "a waltz", (), (), ("shorter",)),
    (ImageRequest(prompt="a"), "a", (), (), ("tiles", "smaller")),
    (
        ImageRequest(prompt="a", image=b"i", mask=b"m", tiling=True, loras=(Lora("fog"),), hires_scale=1.5),
        "a", (b"i", b"m"), ("tiling", "image", "mask", "loras", "x1.5"), ("tiles", "smaller"),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("request_", "title", "sources", "marks", "kinds"), EACH)
def test_a_task_says_what_is_asked_what_it_starts_from_and_what_would_be_lighter(
    request_: Request,
    title: str,
    sources: tuple[bytes, ...],
    marks: tuple[str, ...],
    kinds: tuple[str, ...],
) -> None:
    answers = rules(request_)
    assert (answers.title(request_), answers.sources(request_), answers.marks(request_)) == (title, sources, marks)
    assert tuple(kind for kind, _ in answers.lighter(request_, tiny_card(Source("bundled"), 1), False)) == kinds
