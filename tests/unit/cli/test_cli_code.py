"""`code`: candidates, other files, the exact prompt, and a completion written into the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from terminals import Run

from studio.engines.demo import fake
from studio.requests import CodeRequest


@pytest.fixture
def dice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in whose completions differ by their seed, two of three."""

    def completion(request: CodeRequest) -> str:
        return ("a + b", "a + b", "(a")[int(request.seed or 0) % 3]

    monkeypatch.setattr(fake, "_completion", completion)


def test_candidates_are_printed_each_once_and_marked(run: Run, code_file: Path, dice: None) -> None:
    result = run("code", f"{code_file}:2:12", "--candidates", 3, "--seed", 0)
    assert result.out == "a + b\n\n(a\n"
    assert "1 · syntax correct · drawn 2 times" in result.err
    assert "2 · syntax broken" in result.err
    assert "2 are different" in result.err
    told = run("code", f"{code_file}:2:12", "--candidates", 3, "--seed", 0, "--json").json
    assert told["text"] == "a + b"
    assert told["candidates"] == [
        {"text": "a + b", "seed": 0, "score": None, "parses": True, "times": 2},
        {"text": "(a", "seed": 2, "score": None, "parses": False, "times": 1},
    ]
    assert [made["seed"] for made in told["recipes"]] == [0, 2]
    assert [Path(file).read_text() for file in told["files"]] == ["a + b", "(a"]


@pytest.mark.parametrize("form", ["\n", "\r\n"])
def test_in_place_changes_nothing_else_of_the_file(run: Run, tmp_path: Path, dice: None, form: str) -> None:
    file = tmp_path / "a.py"
    text = f"\ufeff# é\tx{form}def add(a, b):{form}    return "
    file.write_bytes(text.encode())
    file.chmod(0o640)
    link = tmp_path / "link.py"
    link.symlink_to(file)
    result = run("code", f"{link}:3", "--in-place", "--seed", 0)
    assert result.code == 0
    assert result.out == f"{link}\n"
    assert file.read_bytes().decode() == text + "a + b"
    assert (os.stat(file).st_mode & 0o777, link.is_symlink()) == (0o640, True)


def test_a_file_that_was_changed_meanwhile_is_left_alone(
    run: Run, code_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def completion(request: CodeRequest) -> str:
        code_file.write_text("something else\n\n\n")
        return "a + b"

    monkeypatch.setattr(fake, "_completion", completion)
    result = run("code", f"{code_file}:2:1", "--in-place", "--json")
    assert result.code == 1
    assert code_file.read_text() == "something else\n\n\n"
    assert "file_changed" in result.out


@pytest.mark.parametrize("more", [("--show-prompt",), ()])
def test_in_place_needs_a_file(run: Run, code_file: Path, more: tuple[str, ...]) -> None:
    place = f"{code_file}:1:1" if more else "-"
    assert run("code", place, "--in-place", *more, stdin=b"x = 1").code == 2


def test_the_prompt_is_shown_and_nothing_is_kept(run: Run, code_file: Path, tmp_path: Path) -> None:
    result = run("code", f"{code_file}:2:12", "--show-prompt")
    assert result.out == code_file.read_text() + "\n"
    assert "1 tokens" in result.err
    assert run("code", f"{code_file}:2:12", "--show-prompt", "--json").json["files"] == []
    assert not list((tmp_path / "home" / "outputs").rglob("*.py"))


def test_other_files_reach_the_model_without_where_they_lie(
    run: Run, code_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[CodeRequest] = []
    monkeypatch.setattr(fake, "_completion", lambda request: seen.append(request) or "x")
    other = tmp_path / "lib" / "b.py"
    other.parent.mkdir()
    other.write_text("B = 1\n")
    assert run("code", f"{code_file}:2:12", "--context", other, "--context", code_file).code == 0
    assert [file.name for file in seen[0].files] == ["lib/b.py", f"{tmp_path.name}/file.py"]
    assert seen[0].files[0].text == "B = 1\n"
    assert str(tmp_path.parent) not in seen[0].path
    assert run("code", f"{code_file}:2:12", "--context", "nosuch.py").code == 1


def test_the_order_is_by_how_sure_the_model_is() -> None:
    from studio.jobs.context import RunContext
    from studio.jobs.job import Job
    from studio.jobs.plans.code_choices import CodeChoices
    from studio.results import Output

    class Sure:
        def nbytes(self) -> int:
            return 0

        def close(self) -> None: ...

        def run(self, request: CodeRequest, context: RunContext) -> Output:
            number = int(request.seed or 0)
            context.text(f"try {number}")
            return Output(text=("b", "a", "a", "c")[number], stats={"mean_logprob": (-0.9, -0.5, -0.1, -0.3)[number]})

    plan = CodeChoices(CodeRequest(prefix="x = ", language="python", count=4, seed=0))
    job = Job("code", "x", plan=plan)
    output = plan.run(Sure(), RunContext(job))
    assert [(one.text, one.score, one.times) for one in output.candidates] == [
        ("a", -0.1, 2), ("c", -0.3, 1), ("b", -0.9, 1),
    ]  # fmt: skip
    assert (output.text, output.texts, output.seeds) == ("a", ("a", "c", "b"), (1, 3, 0))
    assert job.snapshot().text == "try 0", "the others are not shown while they are written"
