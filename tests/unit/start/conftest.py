"""A project folder that start.py takes for its own, and an install in it."""

import pytest
from fake_pip import FakeRunner

from install import stages, state


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with requirements and the skeleton of a .venv, which start.py takes for its own."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "requirements.txt").write_text("gradio==1\ntorchlike\ntorch>=2,<3  # the engine\n")
    (tmp_path / "requirements-dev.txt").write_text("pytest\n")
    (tmp_path / "requirements-bare.txt").write_text("spandrel==1\n")
    monkeypatch.setattr(state, "ROOT", str(tmp_path))
    monkeypatch.setattr(state, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(state, "PYTHON", str(python))
    monkeypatch.setattr(state, "STAMP", str(tmp_path / ".venv" / "atelier.stamp"))
    monkeypatch.setattr(state, "nvidia", lambda: False)
    for name in ("STUDIO_TORCH", "STUDIO_PREPARE", "STUDIO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def installing(project, monkeypatch):
    """Run the stages with a fake pip in an environment that is already made. Returns that pip."""

    def go(runner: FakeRunner, tests: bool = False) -> FakeRunner:
        (project / ".venv" / "atelier.made").write_text(state.identity())
        run = stages.Install(lock=0, tests=tests)
        monkeypatch.setattr(run, "runner", runner)
        monkeypatch.setattr(run, "prepare", lambda: runner.calls.append(("prepare",)))
        run.run()
        return runner

    return go
