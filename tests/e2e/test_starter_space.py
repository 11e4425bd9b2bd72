"""The studio as a Space runs it: a plain clone that is not written to, an empty home, two cores, and strangers."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from e2e.conftest import Visit
from e2e.desk import PATIENCE
from e2e.program import ROOT, Program
from studio.paths import Home
from tabs.serve import free_port

ICON = ROOT / "tests" / "data" / "caption" / "12-rainbow.png"


def written(folder: Path) -> dict[str, int]:
    """Every file of a folder, and when it was last written; what Python keeps of its own is its own business."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in files}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a push to a Space would bring there, made read-only."""
    folder = tmp_path_factory.mktemp("space") / "app"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, folder / name)
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


@pytest.fixture(scope="module")
def space(clone: Path, starter_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, Path]]:
    """The app and its user's folder. The starters are there as the first visitors' presses would have fetched them."""
    user = tmp_path_factory.mktemp("user")
    own = Home(user / ".local" / "share" / "atelier")
    shutil.copytree(Home(starter_home).models, own.models)
    environment = {
        "HOME": str(user), "XDG_DATA_HOME": "", "SYSTEM": "spaces", "SPACE_ID": "somebody/atelier",
        "SPACE_HOST": "somebody-atelier.hf.space", "CPU_CORES": "2", "MEMORY": "16Gi", "ACCELERATOR": "none",
        "PYTHONDONTWRITEBYTECODE": "1", "STUDIO_PORT": str(free_port("127.0.0.1", 0)),
    }  # fmt: skip
    with Program(None, clone, **environment) as running:
        yield running, user


@pytest.mark.timeout(300)
def test_a_strangers_whole_session(space: tuple[Program, Path], clone: Path, visit: Visit) -> None:
    program, user = space
    before = written(clone)
    desk = visit(program.url)
    desk.ask("What is the capital of France?")
    expect(desk.answers.last).to_contain_text("Paris", timeout=PATIENCE)

    desk.go("image").type("3", "seed").paint("a red apple")
    expect(desk.details).to_contain_text("Icons")

    desk.go("music").more().type("3", "seed").more().type("a slow waltz, 8 bars").run()
    expect(desk.takes).to_have_count(1, timeout=PATIENCE)

    desk.go("code").more().type("16", "max-tokens")
    desk.write('def add(a, b):\n    """Return the sum of a and b."""\n    ').run()
    expect(desk.page.locator("#code-accept")).to_be_visible(timeout=PATIENCE)
    desk.idle()
    desk.until(lambda: "return" in desk.code)
    assert "return" in desk.code

    desk.go("caption")
    desk.find("image").locator("input[type=file]").set_input_files(ICON)
    expect(desk.find("image").locator("img")).to_be_visible()
    desk.run()
    expect(desk.find("details")).to_contain_text("Observer", timeout=PATIENCE)
    expect(desk.field("text")).to_have_value(re.compile(r"\w+"))
    assert desk.error.count() == 0

    assert written(clone) == before, "the code's folder is not written to"
    kept = [path for path in user.rglob("*") if path.is_file() and "chats" in path.parts]
    assert not kept, "a visitor's conversation lives in their browser"


def test_another_stranger_finds_nothing_of_it(space: tuple[Program, Path], visit: Visit) -> None:
    program, _ = space
    other = visit(program.url)
    expect(other.answers).to_have_count(0)
    expect(other.go("image").pictures).to_have_count(0)
    expect(other.page.locator("[data-library]")).to_have_count(0)


def test_what_the_closed_list_refuses_is_refused_in_one_sentence(space: tuple[Program, Path], visit: Visit) -> None:
    program, _ = space
    desk = visit(program.url).go("image").type("a naked child").run()
    expect(desk.error).to_contain_text("This studio does not make that (reason: minors).")
