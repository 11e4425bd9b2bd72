"""The front door: when start.py installs, and what it becomes."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_pip import stamp

import start
from install import stages, state

SOURCE = Path(start.__file__)


def test_a_python_that_is_too_old_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 8, 1))
    assert start.main([]) == 1
    assert "needs Python 3.11 or newer, and this is Python 3.8.1" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["start.py", "install/__init__.py", "install/state.py"])
def test_even_a_very_old_python_can_read(file):
    source = (SOURCE.parent / file).read_text(encoding="ascii")
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Match)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert not any(argument.annotation for argument in node.args.args)


def test_the_quick_path_imports_next_to_nothing():
    code = "import sys; old = set(sys.modules); import start; start.state.ready(True); print(*set(sys.modules) - old)"
    loaded = subprocess.check_output([sys.executable, "-S", "-c", code], cwd=SOURCE.parent, text=True).split()
    assert {name for name in loaded if name.startswith("install")} == {"install", "install.state"}
    assert not {"subprocess", "json", "re", "pathlib", "shutil"} & set(loaded)


def test_what_installs_does_not_load_the_front_door_again():
    for file in (SOURCE.parent / "install").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "")}
                assert "start" not in names, file.name


def test_it_starts_where_python_keeps_the_folder_of_a_script_out_of_its_path(tmp_path):
    shutil.copy(SOURCE, tmp_path)
    shutil.copytree(SOURCE.parent / "install", tmp_path / "install", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    environment.pop("PYTHONPATH", None)
    line = [sys.executable, str(tmp_path / "start.py"), "--help"]
    said = subprocess.check_output(line, cwd="/", env=environment, text=True)
    assert "python start.py test" in said


def test_a_fresh_folder_is_not_ready(project):
    assert not state.ready(False)


def test_a_second_start_does_not_install(project, monkeypatch):
    stamp(project, "torch cpu")
    monkeypatch.setattr(start, "hand_over", lambda line: line)
    monkeypatch.setattr(stages, "main", lambda tests: pytest.fail("installed again"))
    assert start.main([]) == [state.PYTHON, str(project / "app.py")]


@pytest.mark.parametrize("change", ["requirements", "place", "python", "no python"])
def test_it_installs_again_after_a_change_of(change, project, monkeypatch):
    stamp(project, "torch cpu")
    assert state.ready(False)
    if change == "requirements":
        (project / "requirements.txt").write_text("gradio==2\n")
    elif change == "place":
        monkeypatch.setattr(state, "VENV", "/elsewhere/.venv")
    elif change == "python":
        monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-399")
    else:
        Path(state.PYTHON).unlink()
    assert not state.ready(False)


def test_the_tests_have_requirements_of_their_own(project):
    stamp(project, "torch cpu")
    assert not state.ready(True)
    stamp(project, "torch cpu", tests=True)
    assert state.ready(True)
    assert state.ready(False)


def test_a_new_gpu_asks_for_another_torch_and_a_lost_one_does_not(project, monkeypatch):
    stamp(project, "torch gpu")
    assert state.ready(False)
    stamp(project, "torch cpu")
    monkeypatch.setattr(state, "nvidia", lambda: True)
    assert not state.ready(False)


def test_a_named_torch_build_is_kept_until_it_is_named_otherwise(project, monkeypatch):
    monkeypatch.setenv("STUDIO_TORCH", "rocm6.4")
    stamp(project, "torch cpu")
    assert not state.ready(False)
    stamp(project, "torch rocm6.4")
    assert state.ready(False)


# What it starts


def test_words_go_to_the_command_line_and_none_to_the_page(project):
    assert start.command([])[1:] == [str(project / "app.py")]
    assert start.command(["serve", "--ray"])[1:] == [str(project / "app.py"), "--ray"]
    assert start.command(["chat", "hello"])[1:] == ["-P", "-m", "studio", "chat", "hello"]


def test_help_comes_without_an_install(project, monkeypatch, capsys):
    monkeypatch.setattr(stages, "main", lambda tests: pytest.fail("installed"))
    assert start.main(["--help"]) == 0
    assert "python start.py test" in capsys.readouterr().out


def test_a_failed_install_starts_nothing(project, monkeypatch):
    monkeypatch.setattr(stages, "main", lambda tests: 1)
    monkeypatch.setattr(start, "hand_over", lambda line: pytest.fail("started"))
    assert start.main([]) == 1


def test_every_check_runs_even_after_one_failed(project, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(subprocess, "call", lambda line, cwd: ran.append(line) or "ruff" in line)
    assert start.check([]) == 1
    assert len(ran) == len(start.CHECKS)
    assert ran[-1][3:5] == start.WHOLE
    assert capsys.readouterr().out.endswith("Failed: ruff, format\n")


def test_arguments_after_test_go_to_pytest_alone(project, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(subprocess, "call", lambda line, cwd: ran.append(line))
    assert start.check(["-k", "door"]) == 0
    assert ran == [[state.PYTHON, "-m", "pytest", "-k", "door"]]
    assert capsys.readouterr().out.endswith("Passed: pytest\n")
