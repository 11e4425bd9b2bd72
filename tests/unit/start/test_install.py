"""What start.py installs, and what it says when that fails."""

import os
import subprocess
import sys

import pytest
from fake_pip import FakeRunner, stamp

from install import stages, state
from install.pip import InstallError, Progress, Runner, advice, lock

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
    assert stages.uv_backend(names, flavour, platform) == backend


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
    assert stages.torch_requirement() == "torch>=2,<3"


def test_a_gpu_that_torch_cannot_reach_gets_the_build_for_its_driver(installing, monkeypatch, capsys):
    monkeypatch.setattr(state, "nvidia", lambda: True)
    pip = installing(FakeRunner(names=CUDA))
    assert "auto" in pip.asked("--torch-backend")[0]
    assert "the studio will use the CPU" in capsys.readouterr().out


def test_a_new_gpu_makes_pip_look_at_torch_afresh(installing, project):
    stamp(project, "torch cpu128")
    assert installing(FakeRunner()).asked("--ignore-installed")


# Stages


def test_what_declares_too_much_is_installed_without_it_after_the_others(installing):
    first, second = installing(FakeRunner()).asked("-r")
    assert "--no-deps" not in first
    assert "--no-deps" in second
    assert second[-1].endswith("requirements-bare.txt")


def test_a_change_of_what_is_installed_bare_installs_again(project):
    stamp(project, "torch cpu")
    assert state.ready(False)
    (project / "requirements-bare.txt").write_text("spandrel==2\n")
    assert not state.ready(False)


def test_the_stamp_is_written_last(installing, project, monkeypatch):
    pip = installing(FakeRunner())
    assert pip.calls[-1] == ("prepare",)
    assert state.ready(False)
    assert not state.ready(True)
    installing(FakeRunner(), tests=True)
    assert state.ready(True)


def test_a_failure_leaves_the_next_start_to_go_on(installing, project):
    stamp(project, "torch cpu")
    with pytest.raises(InstallError):
        installing(FakeRunner(fail=["-r"]))
    assert not state.ready(False)


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
    run = stages.Install(lock=0, tests=False)
    run.environment()
    assert run.runner.version()
    assert not (project / ".venv" / "rubbish").exists()
    assert (project / ".venv" / "start.lock").exists()


def test_an_environment_that_a_link_leads_to_is_not_touched(project, tmp_path, capsys):
    elsewhere = (project / ".venv").rename(tmp_path / "elsewhere")
    (project / ".venv").symlink_to(elsewhere, target_is_directory=True)
    assert stages.main(False) == 1
    assert [file.name for file in elsewhere.iterdir()] == ["bin"]
    assert "is a link to" in capsys.readouterr().err


def test_a_python_without_venv_names_the_debian_package(project, monkeypatch, capsys):
    monkeypatch.setattr(stages.importlib.util, "find_spec", lambda name: None)
    assert stages.main(tests=False) == 1
    assert "sudo apt install python3." in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(project, monkeypatch, capsys):
    monkeypatch.setattr(state, "VENV", str(project / "requirements.txt" / ".venv"))
    assert stages.main(tests=False) == 1
    assert "cannot be used" in capsys.readouterr().err


def test_ctrl_c_ends_the_install_and_says_what_follows(project, monkeypatch, capsys):
    monkeypatch.setattr(stages.Install, "run", lambda self: stages._terminated())
    assert stages.main(tests=False) == 130
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
    stages.Install(lock=0, tests=False).prepare()
    assert [line[-2:] for line in ran] == [["doctor", "--prepare"]] * fetched


def test_a_starter_that_cannot_be_fetched_does_not_stop_the_start(project, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", lambda line, **_: subprocess.CompletedProcess(line, 1))
    stages.Install(lock=0, tests=False).prepare()
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
            [sys.executable, "-u", "-c", code, state.ROOT, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert other.stdout
        assert "Waiting for it" in other.stdout.readline()
    assert other.communicate(timeout=30)[0] == "in\n"
