"""A project folder that start.py takes for its own, and an install in it."""

import pytest
from fake_pip import FakeRunner

import install
import start


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with requirements and the skeleton of a .venv, which start.py takes for its own."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "requirements.txt").write_text("gradio==1\ntorchlike\ntorch>=2,<3  # the engine\n")
    (tmp_path / "requirements-dev.txt").write_text("pytest\n")
    monkeypatch.setattr(start, "ROOT", str(tmp_path))
    monkeypatch.setattr(start, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(start, "PYTHON", str(python))
    monkeypatch.setattr(start, "STAMP", str(tmp_path / ".venv" / "atelier.stamp"))
    monkeypatch.setattr(start, "nvidia", lambda: False)
    for name in ("STUDIO_TORCH", "STUDIO_PREPARE", "STUDIO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def installing(project, monkeypatch):
    """Run the stages with a fake pip in an environment that is already made. Returns that pip."""

    def go(runner: FakeRunner, tests: bool = False) -> FakeRunner:
        (project / ".venv" / "atelier.made").write_text(start.identity())
        stages = install.Install(lock=0, tests=tests)
        monkeypatch.setattr(stages, "runner", runner)
        monkeypatch.setattr(stages, "prepare", lambda: runner.calls.append(("prepare",)))
        stages.run()
        return runner

    return go
