"""The optional engine: an environment on top, or beside the studio's own packages."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_pip import FakeRunner

import start
from install import extra as extras
from install import stages, state
from install.pip import InstallError

SOURCE = Path(start.__file__)
LIST = extras.requirements("audiocraft")


@pytest.fixture
def extra(project, monkeypatch):
    """Install the extra with a fake pip: `before` and `after` are the packages, `troubles` what pip check says."""
    (project / LIST).write_text("# why\naudiocraft==1.3.0\neinops==0.8.2\n")
    (project / extras.requirements("mcp")).write_text("# why\nmcp==2.3.0\n")
    (project / extras.requirements("ray")).write_text("# why\nray==2.60.0\n")

    def go(before: str, after: str, troubles: tuple[str, str] = ("", ""), name: str = "audiocraft") -> FakeRunner:
        runner = FakeRunner()
        monkeypatch.setattr(runner, "ask", lambda _: after if runner.asked("install") else before)
        monkeypatch.setattr(runner, "log", "", raising=False)
        monkeypatch.setattr(
            subprocess,
            "run",
            lambda line, **_: subprocess.CompletedProcess(line, 1, troubles[bool(runner.asked("install"))]),
        )
        stage = extras.Extra(lock=0, name=name)
        stage.base = stage.here = runner
        stage.run()
        return runner

    return go


WANTS = "audiocraft 1.3.0 has requirement torch==2.1.0, but you have torch 2.13.0.\n"


def test_the_extra_is_a_closed_list_beside_the_studios_own():
    def names(file: str) -> set[str]:
        lines = (SOURCE.parent / file).read_text(encoding="utf-8").splitlines()
        return {re.split("[<>=]", line)[0].strip().lower() for line in lines if line and not line.startswith("#")}

    lines = (SOURCE.parent / LIST).read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines if not line.startswith("#"))
    assert not names(LIST) & (names("requirements.txt") | names("requirements-dev.txt"))
    assert not names(LIST) & {"torch", "torchaudio", "torchvision", "xformers", "transformers", "numpy"}


def test_the_extra_brings_nothing_that_it_depends_on(extra, capsys):
    pip = extra("torch==2.13.0", "torch==2.13.0 audiocraft==1.3.0 einops==0.8.2", ("", WANTS))
    assert "--no-deps" in pip.asked("install")[0]
    assert pip.asked("install")[0][-1].endswith(LIST)
    assert "as they were" in capsys.readouterr().out


def test_mcp_brings_what_it_depends_on_and_changes_nothing_of_the_studios_own(extra, capsys):
    pip = extra("pydantic==2.14.4", "pydantic==2.14.4 mcp==2.3.0 pyjwt==2.15.1", name="mcp")
    assert "--no-deps" not in pip.asked("install")[0]
    assert pip.asked("install")[0][-1].endswith("requirements-mcp.txt")
    assert "STUDIO_MCP=1" in capsys.readouterr().out
    with pytest.raises(InstallError, match="not what they were"):
        extra("pydantic==2.14.4", "pydantic==2.12.5 mcp==2.3.0", name="mcp")


@pytest.mark.parametrize("name", ["mcp", "c2pa", "ray"])
def test_the_tests_have_the_version_that_people_get(name):
    lines = (SOURCE.parent / extras.requirements(name)).read_text(encoding="utf-8").splitlines()
    (wanted,) = [line for line in lines if not line.startswith("#")]
    assert wanted in (SOURCE.parent / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()


def test_the_extra_is_not_installed_twice(extra, capsys):
    here = "torch==2.13.0 audiocraft==1.3.0 einops==0.8.2"
    assert not extra(here, here).calls
    assert "here already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("after", "troubles"),
    [
        ("torch==2.1.0 audiocraft==1.3.0 einops==0.8.2", ("", WANTS)),
        ("torch==2.13.0 audiocraft==1.3.0 einops==0.8.2", ("", WANTS + "gradio 6 requires x, which is not installed.")),
    ],
)
def test_an_extra_that_harms_the_studios_own_packages_is_told(extra, after, troubles):
    with pytest.raises(InstallError, match="not what they were"):
        extra("torch==2.13.0", after, troubles)


def test_what_was_amiss_before_is_not_held_against_the_extra(extra):
    old = "mine 1 requires yours, which is not installed.\n"
    assert extra("torch==2.13.0", "torch==2.13.0 audiocraft==1.3.0 einops==0.8.2", (old, old + WANTS)).calls


def test_an_environment_on_top_sees_what_is_below_and_has_what_is_added(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "VENV", sys.prefix)
    monkeypatch.setattr(state, "PYTHON", sys.executable)
    for _ in range(2):  # the second time it is there
        stage = extras.Extra(0, str(tmp_path / "above"))
        stage.base.lock = stage.here.lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
        monkeypatch.setattr(stage.base, "log", tmp_path / "log")
        stage.layer()
        os.close(stage.base.lock)
        assert stage.here.ask("import pytest, sys; print(sys.prefix)") == str(tmp_path / "above")
        (tmp_path / "above" / "kept").touch()
    assert (tmp_path / "above" / "kept").exists()


def test_a_folder_with_other_things_is_not_made_an_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "VENV", sys.prefix)
    monkeypatch.setattr(state, "PYTHON", sys.executable)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InstallError, match="does not exist yet"):
        extras.Extra(0, str(tmp_path)).layer()


@pytest.mark.parametrize("name", list(extras.THEN))
def test_a_word_installs_its_extra_after_the_studio(project, monkeypatch, name):
    order = []
    monkeypatch.setattr(stages, "main", lambda tests: order.append("studio") or 0)
    monkeypatch.setattr(extras, "main", lambda *folder: order.append(folder) or 0)
    assert start.main([name]) == 0
    assert start.main([name, "elsewhere"]) == 0
    assert order == ["studio", (name,), "studio", (name, "elsewhere")]
