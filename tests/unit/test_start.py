"""The front door: when start.py installs, what it installs, and what it says when that fails."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import install
import start
from install import extra as extras
from install.pip import InstallError, Progress, Runner, advice, lock

SOURCE = Path(start.__file__)


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


def stamp(project: Path, *lines: str, tests: bool = False) -> None:
    (project / ".venv" / "atelier.stamp").write_text("\n".join([*start.marks(tests), *lines]))


class FakeRunner:
    """A pip that installs what the test says, and writes down what it was asked."""

    def __init__(self, names=("torch", "sympy"), fail=()):
        self.names, self.fail = names, fail
        self.calls: list[tuple[str, ...]] = []
        self.installed = ""

    def version(self):
        return (26, 3)

    def ask(self, code):
        return self.installed if "version('torch')" in code else ""

    def pip(self, *arguments):
        self.run(arguments)
        if "--report" in arguments:
            report = {"install": [{"metadata": {"name": name}} for name in self.names]}
            Path(arguments[arguments.index("--report") + 1]).write_text(json.dumps(report))
        return 3

    def run(self, arguments):
        self.calls.append(tuple(arguments))
        if any(word in arguments for word in self.fail):
            raise InstallError("refused")
        if "--torch-backend" in arguments:
            self.installed = "2.13.0+" + arguments[arguments.index("--torch-backend") + 1]

    def asked(self, word: str) -> list[tuple[str, ...]]:
        return [call for call in self.calls if word in call]


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


# When it installs


def test_a_python_that_is_too_old_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 8, 1))
    assert start.main([]) == 1
    assert "needs Python 3.11 or newer, and this is Python 3.8.1" in capsys.readouterr().err


def test_even_a_very_old_python_can_read_start_py():
    source = SOURCE.read_text(encoding="ascii")
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Match)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert not any(argument.annotation for argument in node.args.args)


def test_the_quick_path_imports_next_to_nothing():
    code = "import sys; old = set(sys.modules); import start; start.ready(True); print(*set(sys.modules) - old)"
    loaded = subprocess.check_output([sys.executable, "-S", "-c", code], cwd=SOURCE.parent, text=True).split()
    assert not {"install", "subprocess", "json", "re", "pathlib", "shutil"} & set(loaded)


def test_a_fresh_folder_is_not_ready(project):
    assert not start.ready(False)


def test_a_second_start_does_not_install(project, monkeypatch):
    stamp(project, "torch cpu")
    monkeypatch.setattr(start, "hand_over", lambda line: line)
    monkeypatch.setattr(install, "main", lambda tests: pytest.fail("installed again"))
    assert start.main([]) == [start.PYTHON, str(project / "app.py")]


@pytest.mark.parametrize("change", ["requirements", "place", "python", "no python"])
def test_it_installs_again_after_a_change_of(change, project, monkeypatch):
    stamp(project, "torch cpu")
    assert start.ready(False)
    if change == "requirements":
        (project / "requirements.txt").write_text("gradio==2\n")
    elif change == "place":
        monkeypatch.setattr(start, "VENV", "/elsewhere/.venv")
    elif change == "python":
        monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-399")
    else:
        Path(start.PYTHON).unlink()
    assert not start.ready(False)


def test_the_tests_have_requirements_of_their_own(project):
    stamp(project, "torch cpu")
    assert not start.ready(True)
    stamp(project, "torch cpu", tests=True)
    assert start.ready(True)
    assert start.ready(False)


def test_a_new_gpu_asks_for_another_torch_and_a_lost_one_does_not(project, monkeypatch):
    stamp(project, "torch gpu")
    assert start.ready(False)
    stamp(project, "torch cpu")
    monkeypatch.setattr(start, "nvidia", lambda: True)
    assert not start.ready(False)


def test_a_named_torch_build_is_kept_until_it_is_named_otherwise(project, monkeypatch):
    monkeypatch.setenv("STUDIO_TORCH", "rocm6.4")
    stamp(project, "torch cpu")
    assert not start.ready(False)
    stamp(project, "torch rocm6.4")
    assert start.ready(False)


# What it starts


def test_words_go_to_the_command_line_and_none_to_the_page(project):
    assert start.command([])[1:] == [str(project / "app.py")]
    assert start.command(["chat", "hello"])[1:] == ["-P", "-m", "studio", "chat", "hello"]


def test_help_comes_without_an_install(project, monkeypatch, capsys):
    monkeypatch.setattr(install, "main", lambda tests: pytest.fail("installed"))
    assert start.main(["--help"]) == 0
    assert "python start.py test" in capsys.readouterr().out


def test_a_failed_install_starts_nothing(project, monkeypatch):
    monkeypatch.setattr(install, "main", lambda tests: 1)
    monkeypatch.setattr(start, "hand_over", lambda line: pytest.fail("started"))
    assert start.main([]) == 1


def test_every_check_runs_even_after_one_failed(project, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(subprocess, "call", lambda line, cwd: ran.append(line) or "ruff" in line)
    assert start.check([]) == 1
    assert len(ran) == len(start.CHECKS)
    assert ran[-1][-2:] == start.WHOLE
    assert capsys.readouterr().out.endswith("Failed: ruff, format\n")


def test_arguments_after_test_go_to_pytest_alone(project, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(subprocess, "call", lambda line, cwd: ran.append(line))
    assert start.check(["-k", "door"]) == 0
    assert ran == [[start.PYTHON, "-m", "pytest", "-k", "door"]]
    assert capsys.readouterr().out.endswith("Passed: pytest\n")


# Which torch

CUDA = {"torch", "triton", "cuda-toolkit", "nvidia-cudnn-cu13"}


@pytest.mark.parametrize(
    ("names", "flavour", "platform", "backend"),
    [
        (CUDA, "cpu", "linux", "cpu"),
        ({"torch", "sympy"}, "cpu", "linux", ""),
        (CUDA, "gpu", "linux", ""),
        ({"torch"}, "gpu", "win32", "auto"),
        ({"torch"}, "cpu", "darwin", ""),
        ({"torch"}, "rocm6.4", "linux", "rocm6.4"),
    ],
)
def test_the_build_of_torch_follows_the_machine(names, flavour, platform, backend):
    assert install.uv_backend(names, flavour, platform) == backend


def test_no_gpu_means_no_cuda(installing, project):
    pip = installing(FakeRunner(names=CUDA))
    assert "--no-deps" in pip.asked("--torch-backend")[0]
    assert (project / ".venv" / "constraints.txt").read_text() == "torch==2.13.0+cpu\n"
    assert pip.calls.index(pip.asked("--torch-backend")[0]) < pip.calls.index(pip.asked("-r")[0])
    assert str(project / ".venv" / "constraints.txt") in pip.asked("-r")[0]


def test_pip_alone_where_its_index_has_the_right_build(installing):
    pip = installing(FakeRunner())
    assert not pip.asked("uv")


def test_a_closed_network_falls_back_to_the_general_build_and_says_how_big_it_is(installing, capsys):
    pip = installing(FakeRunner(names=CUDA, fail=["uv"]))
    assert pip.asked("-r")
    assert "about 3 GB" in capsys.readouterr().out


def test_only_torch_itself_is_asked_for(project):
    assert install.torch_requirement() == "torch>=2,<3"


def test_a_gpu_that_torch_cannot_reach_gets_the_build_for_its_driver(installing, monkeypatch, capsys):
    monkeypatch.setattr(start, "nvidia", lambda: True)
    pip = installing(FakeRunner(names=CUDA))
    assert "auto" in pip.asked("--torch-backend")[0]
    assert "the studio will use the CPU" in capsys.readouterr().out


def test_a_new_gpu_makes_pip_look_at_torch_afresh(installing, project):
    stamp(project, "torch cpu128")
    assert installing(FakeRunner()).asked("--ignore-installed")


# Stages


def test_the_stamp_is_written_last(installing, project, monkeypatch):
    pip = installing(FakeRunner())
    assert pip.calls[-1] == ("prepare",)
    assert start.ready(False)
    assert not start.ready(True)
    installing(FakeRunner(), tests=True)
    assert start.ready(True)


def test_a_failure_leaves_the_next_start_to_go_on(installing, project):
    stamp(project, "torch cpu")
    with pytest.raises(InstallError):
        installing(FakeRunner(fail=["-r"]))
    assert not start.ready(False)


def test_packages_whose_install_was_cut_are_forgotten(installing, project):
    packages = project / ".venv" / "lib" / "python3.11" / "site-packages"
    for name, file in (("whole-1.dist-info", "INSTALLER"), ("half-1.dist-info", "METADATA")):
        (packages / name).mkdir(parents=True)
        (packages / name / file).touch()
    installing(FakeRunner())
    assert [info.name for info in packages.iterdir()] == ["whole-1.dist-info"]


def test_a_broken_environment_is_made_again(project):
    (project / ".venv" / "rubbish").mkdir()
    (project / ".venv" / "start.lock").touch()
    stages = install.Install(lock=0, tests=False)
    stages.environment()
    assert stages.runner.version()
    assert not (project / ".venv" / "rubbish").exists()
    assert (project / ".venv" / "start.lock").exists()


def test_a_python_without_venv_names_the_debian_package(project, monkeypatch, capsys):
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None)
    assert install.main(tests=False) == 1
    assert "sudo apt install python3." in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(project, monkeypatch, capsys):
    monkeypatch.setattr(start, "VENV", str(project / "requirements.txt" / ".venv"))
    assert install.main(tests=False) == 1
    assert "cannot be used" in capsys.readouterr().err


def test_ctrl_c_ends_the_install_and_says_what_follows(project, monkeypatch, capsys):
    monkeypatch.setattr(install.Install, "run", lambda self: install._terminated())
    assert install.main(tests=False) == 130
    assert "next start goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "environment", "fetched"),
    [
        ("", {}, True),
        ("", {"STUDIO_PREPARE": "0"}, False),
        ("", {"STUDIO_PREPARE": "False"}, False),
        ("", {"STUDIO_OFFLINE": "1"}, False),
        ("STUDIO_PREPARE=0\n", {}, False),
        ("STUDIO_PREPARE=0\n", {"STUDIO_PREPARE": "1"}, True),
    ],
)
def test_the_starter_is_fetched_unless_a_setting_says_no(file, environment, fetched, project, monkeypatch):
    ran = []
    monkeypatch.setattr(subprocess, "run", lambda line, **_: ran.append(line) or subprocess.CompletedProcess(line, 0))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (project / ".env").write_text(file)
    install.Install(lock=0, tests=False).prepare()
    assert [line[-2:] for line in ran] == [["doctor", "--prepare"]] * fetched


def test_a_starter_that_cannot_be_fetched_does_not_stop_the_start(project, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", lambda line, **_: subprocess.CompletedProcess(line, 1))
    install.Install(lock=0, tests=False).prepare()
    assert "Its first use fetches it" in capsys.readouterr().out


# Running pip


@pytest.fixture
def runner(tmp_path):
    handle = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    yield Runner(sys.executable, tmp_path / "log", handle, lambda text: None)
    os.close(handle)


def test_a_failing_program_shows_the_end_of_its_output_and_what_to_do(runner):
    code = "print(*range(40), sep=chr(10)); raise SystemExit('OSError: [Errno 28] No space left on device')"
    with pytest.raises(InstallError) as failure:
        runner.run(["-c", code])
    text = str(failure.value)
    assert "\n39\n" in text
    assert "\n20\n" not in text
    assert str(runner.log) in text
    assert text.endswith("The disk is full. Free about 5 GB and start again.")


def test_a_child_inherits_the_lock(runner):
    runner.run(["-c", f"import os; os.fstat({runner.lock})"])


def test_settings_that_put_packages_elsewhere_do_not_reach_pip(runner, monkeypatch):
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    runner.run(["-c", "import os; assert 'PIP_TARGET' not in os.environ and os.environ['PIP_USER'] == '0'"])


def test_the_newest_pip_output_becomes_a_few_words():
    shown = []
    progress = Progress(shown.append)
    for said in (
        "Collecting torch<2.14,>=2.10 (from -r requirements.txt)",
        "  Downloading torch-2.13.0-cp311-linux_x86_64.whl (183.1 MB)",
        "Progress 91500000 of 183000000",
        "Installing collected packages: mpmath, sympy, torch",
        "Successfully installed mpmath-1.3.0 sympy-1.14.0 torch-2.13.0",
    ):
        progress.read(said)
    assert shown[-2:] == ["torch 92 of 183 MB", "unpacking 3 packages"]
    assert progress.installed == 3


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("WARNING: Retrying ... NewConnectionError\nERROR: No matching distribution found for torch", "connection"),
        ("ERROR: No matching distribution found for torch", "python3.12"),
        ("PermissionError: [WinError 5] Access is denied", "Close every running studio"),
        ("something else", "delete the folder .venv"),
    ],
)
def test_advice_fits_the_failure(output, word):
    assert word in advice(output)


def test_two_starts_do_not_install_at_once(tmp_path):
    path = tmp_path / "start.lock"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from install.pip import lock; from pathlib import Path\n"
        "with lock(Path(sys.argv[2])): print('in')"
    )
    with lock(path):
        other = subprocess.Popen(
            [sys.executable, "-u", "-c", code, str(SOURCE.parent), str(path)], stdout=subprocess.PIPE, text=True
        )
        assert other.stdout
        assert "Waiting for it" in other.stdout.readline()
    assert other.communicate(timeout=30)[0] == "in\n"


# The extra


@pytest.fixture
def extra(project, monkeypatch):
    """Install the extra with a fake pip: `before` and `after` are the packages, `troubles` what pip check says."""
    (project / extras.REQUIREMENTS).write_text("# why\naudiocraft==1.3.0\neinops==0.8.2\n")

    def go(before: str, after: str, troubles: tuple[str, str] = ("", "")) -> FakeRunner:
        runner = FakeRunner()
        monkeypatch.setattr(runner, "ask", lambda _: after if runner.asked("install") else before)
        monkeypatch.setattr(runner, "log", "", raising=False)
        monkeypatch.setattr(
            subprocess,
            "run",
            lambda line, **_: subprocess.CompletedProcess(line, 1, troubles[bool(runner.asked("install"))]),
        )
        stage = extras.Extra(lock=0)
        stage.base = stage.here = runner
        stage.run()
        return runner

    return go


WANTS = "audiocraft 1.3.0 has requirement torch==2.1.0, but you have torch 2.13.0.\n"


def test_the_extra_is_a_closed_list_beside_the_studios_own():
    def names(file: str) -> set[str]:
        lines = (SOURCE.parent / file).read_text(encoding="utf-8").splitlines()
        return {re.split("[<>=]", line)[0].strip().lower() for line in lines if line and not line.startswith("#")}

    lines = (SOURCE.parent / extras.REQUIREMENTS).read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines if not line.startswith("#"))
    assert not names(extras.REQUIREMENTS) & (names("requirements.txt") | names("requirements-dev.txt"))
    assert not names(extras.REQUIREMENTS) & {"torch", "torchaudio", "torchvision", "xformers", "transformers", "numpy"}


def test_the_extra_brings_nothing_that_it_depends_on(extra, capsys):
    pip = extra("torch==2.13.0", "torch==2.13.0 audiocraft==1.3.0 einops==0.8.2", ("", WANTS))
    assert "--no-deps" in pip.asked("install")[0]
    assert pip.asked("install")[0][-1].endswith(extras.REQUIREMENTS)
    assert "as they were" in capsys.readouterr().out


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
    monkeypatch.setattr(start, "VENV", sys.prefix)
    monkeypatch.setattr(start, "PYTHON", sys.executable)
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
    monkeypatch.setattr(start, "VENV", sys.prefix)
    monkeypatch.setattr(start, "PYTHON", sys.executable)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InstallError, match="does not exist yet"):
        extras.Extra(0, str(tmp_path)).layer()


def test_the_word_audiocraft_installs_the_extra_after_the_studio(project, monkeypatch):
    order = []
    monkeypatch.setattr(install, "main", lambda tests: order.append("studio") or 0)
    monkeypatch.setattr(extras, "main", lambda *folder: order.append(folder) or 0)
    assert start.main(["audiocraft"]) == 0
    assert start.main(["audiocraft", "elsewhere"]) == 0
    assert order == ["studio", (), "studio", ("elsewhere",)]
