"""A build of llama.cpp for the card that is there: which one, from where, and what happens where none works."""

import hashlib
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from fake_pip import FakeRunner

import start
from install import gpu, stages
from install.pip import InstallError
from studio.devices import detect
from studio.manager import fleet

SOURCE = Path(start.__file__)
SMI = "NVIDIA-SMI 595.10   Driver Version: 595.10   CUDA Version: 13.2  |"
ADA = gpu.Card("GeForce RTX 4090", (8, 9), (13, 2))


@pytest.mark.parametrize(
    ("capability", "cuda", "builds"),
    [
        ((8, 9), (13, 2), ("cu132", "cu128", "vulkan")),
        ((8, 9), (13, 0), ("cu128", "vulkan")),  # the newer build asks for a driver of 13.2
        ((6, 1), (13, 2), ("cu128", "vulkan")),  # CUDA 13 knows no Pascal
        ((8, 6), (12, 4), ("vulkan",)),
        ((12, 1), (13, 2), ("cu132", "vulkan")),
        ((0, 0), (0, 0), ("vulkan",)),
    ],
)
def test_the_driver_and_the_card_say_which_builds_suit(capability, cuda, builds):
    assert gpu.builds_for(gpu.Card("X", capability, cuda), "") == builds


def test_other_makers_get_theirs(monkeypatch):
    assert gpu.builds_for(None, "7.0.2") == ("rocm-7.2.4", "vulkan")
    assert gpu.builds_for(None, "6.3.1") == ("rocm-6.4.1", "vulkan")
    monkeypatch.setattr(gpu, "other_card", lambda: True)
    assert gpu.builds_for(None, "") == ("vulkan",)
    monkeypatch.setattr(gpu, "other_card", lambda: False)
    assert gpu.builds_for(None, "") == ()


def test_the_card_is_read_from_what_its_driver_prints():
    def ask(*line: str) -> str:
        return "NVIDIA GeForce RTX 4090, 8.9\nNVIDIA T4, 7.5\n" if len(line) > 1 else f"+---+\n| {SMI}\n"

    assert gpu.find_card(ask) == gpu.Card("NVIDIA GeForce RTX 4090", (8, 9), (13, 2))
    assert gpu.find_card(lambda *_: "") is None
    assert gpu.find_card(lambda *_: "NVIDIA-SMI has failed because it could not talk to the driver") is None
    odd = gpu.find_card(lambda *line: "Odd, [N/A]" if len(line) > 1 else "")
    assert odd == gpu.Card("Odd"), "a card that says little still has Vulkan"


def test_a_program_of_the_driver_is_asked(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\nif [ -n "$1" ]; then echo "Made up, 8.6"; else echo "{SMI}"; fi\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.find_card() == gpu.Card("Made up", (8, 6), (13, 2))


@pytest.fixture
def installing(project, monkeypatch):
    """Run with a pip that refuses `fail`; a build sees what `sees` says of it."""
    (project / "requirements.txt").write_text("gradio==1\nxllamacpp==2026.10.1  # text\n")
    monkeypatch.setattr(gpu, "find_card", lambda: ADA)
    monkeypatch.setattr(gpu, "rocm", lambda: "")
    monkeypatch.setattr(gpu, "glibc", lambda: (2, 36))
    monkeypatch.setattr(sys, "platform", "linux")

    def go(build: str = "", fail: tuple[str, ...] = (), sees: str = "NVIDIA GeForce RTX 4090") -> FakeRunner:
        runner = FakeRunner(fail=tuple(gpu.INDEX + one for one in fail))
        monkeypatch.setattr(runner, "ask", lambda code: "hash" if "RECORD" in code else sees)
        monkeypatch.setattr(runner, "log", "the log", raising=False)
        stage = gpu.Gpu(0, build)
        stage.runner = runner
        try:
            stage.run()
        except InstallError as error:
            runner.told = str(error)
        return runner

    return go


def test_the_build_comes_from_the_projects_own_index_and_brings_nothing_along(installing, project, capsys):
    (call,) = installing().calls
    assert call == (
        "install", "--force-reinstall", "--no-deps", "--index-url", gpu.INDEX + "cu132", "xllamacpp==2026.10.1",
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "https://xorbitsai.github.io/xllamacpp/whl/cu132" in said
    assert "NVIDIA GeForce RTX 4090" in said
    assert (project / ".venv" / gpu.MARK).read_text() == "cu132 hash"


def test_the_next_build_is_tried_where_one_cannot_be_had(installing, project, capsys):
    runner = installing(fail=("cu132",))
    assert [call[4] for call in runner.calls] == [gpu.INDEX + "cu132", gpu.INDEX + "cu128"]
    assert "could not be had" in capsys.readouterr().out
    assert (project / ".venv" / gpu.MARK).read_text() == "cu128 hash"


def test_where_none_sees_the_card_the_usual_build_comes_back(installing, project):
    (project / ".venv" / gpu.MARK).write_text("cu128 old")
    runner = installing(sees="")
    assert runner.calls[-1] == ("install", "--force-reinstall", "--no-deps", "xllamacpp==2026.10.1")
    assert [call[4] for call in runner.calls[:-1]] == [gpu.INDEX + one for one in ("cu132", "cu128", "vulkan")]
    assert "nothing is lost" in runner.told
    assert not (project / ".venv" / gpu.MARK).exists()


def test_a_build_can_be_named_and_taken_back(installing, project):
    assert [call[4] for call in installing("vulkan").calls] == [gpu.INDEX + "vulkan"]
    (call,) = installing(gpu.USUAL).calls
    assert "--index-url" not in call
    assert not (project / ".venv" / gpu.MARK).exists()


def test_nothing_is_fetched_where_there_is_no_card_or_the_system_is_too_old(installing, monkeypatch):
    monkeypatch.setattr(gpu, "glibc", lambda: (2, 31))
    runner = installing()
    assert not runner.calls
    assert "2.31" in runner.told
    monkeypatch.setattr(gpu, "find_card", lambda: None)
    monkeypatch.setattr(gpu, "other_card", lambda: False)
    runner = installing()
    assert not runner.calls
    assert "No card was found" in runner.told
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Metal already" in installing().told


def test_the_word_comes_after_the_install_of_the_studio(project, monkeypatch, capsys):
    order = []
    monkeypatch.setattr(stages, "main", lambda tests: order.append("studio") or 0)
    monkeypatch.setattr(gpu, "attempt", lambda stage: order.append("gpu") or 0)
    assert start.main(["gpu"]) == 0
    assert start.main(["gpu", "cu128"]) == 0
    assert order == ["studio", "gpu", "studio", "gpu"]
    assert start.main(["gpu", "cu999"]) == 2
    assert "cu132" in capsys.readouterr().err


def test_the_builds_are_those_of_the_packages_own_description():
    told = metadata.metadata("xllamacpp").get_payload() or metadata.metadata("xllamacpp")["Description"]
    found = re.findall(re.escape(gpu.INDEX) + r"([\w.-]+)", str(told))
    assert set(found) == set(gpu.BUILDS)
    assert gpu.requirement().startswith("xllamacpp==")


def test_gguf_models_go_to_the_card_while_that_build_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    detect.llama_on_gpu.cache_clear()
    assert not detect.llama_on_gpu()
    assert fleet.on_processor("llama")
    files = metadata.distribution("xllamacpp").read_text("RECORD") or ""
    (tmp_path / gpu.MARK).write_text("cu128 " + hashlib.sha256(files.encode()).hexdigest())
    detect.llama_on_gpu.cache_clear()
    assert not fleet.on_processor("llama")
    assert fleet.on_processor("gan"), "it is no question of llama.cpp"
    (tmp_path / gpu.MARK).write_text("cu128 " + "0" * 64)  # another build took its place
    detect.llama_on_gpu.cache_clear()
    assert fleet.on_processor("llama")
    detect.llama_on_gpu.cache_clear()
