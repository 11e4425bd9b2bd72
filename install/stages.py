"""Make .venv fit to run the studio: environment, pip, a torch that suits the machine, packages, starters.

Every stage may be cut at any time; the next start finds out what is there and goes on. The stamp that
start.py looks for is written last. Standard library only. Knows nothing of models: the starters are fetched
by the studio's own command.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from install import state
from install.pip import OLDEST, InstallError, Runner, Terminal, lock

CUDA = re.compile(r"(nvidia|cuda)[-_]|triton$")


def main(tests: bool) -> int:
    """Install what is missing, with the packages for the tests where `tests`. Returns the exit code."""
    # another start may just have done it
    return attempt(lambda handle: None if state.ready(tests) else Install(handle, tests).run())


def attempt(stages: Callable[[int], None]) -> int:
    """Run `stages` with the handle of the lock on .venv, and say what stops them. Returns the exit code."""
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        if os.path.islink(state.VENV):
            raise InstallError(
                f".venv is a link to {os.path.realpath(state.VENV)}, which may belong to something else: nothing there "
                "was changed.\nRemove the link, and start again: the studio makes an environment of its own."
            )
        Path(state.VENV).mkdir(exist_ok=True)
        with lock(Path(state.VENV, "start.lock")) as handle:
            stages(handle)
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next start goes on from here.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"\n{error.filename or state.VENV} cannot be used: {error.strerror or error}.", file=sys.stderr)
        print("Put the studio where you may write, on a disk with 5 GB free, and start again.", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


class Install:
    """One run through the stages.

    Args:
        lock: handle of the lock on .venv, held by the caller.
        tests: install the requirements of the tests too.
    """

    def __init__(self, lock: int, tests: bool) -> None:
        self.tests = tests
        self.folder = Path(state.VENV)
        self.stamp = Path(state.STAMP)
        self.made = self.folder / "atelier.made"
        self.constraints = self.folder / "constraints.txt"
        self.terminal = Terminal()
        self.runner = Runner(state.PYTHON, self.folder / "install.log", lock, self.terminal.detail)

    def run(self) -> None:
        """Go through all stages. Raises InstallError, KeyboardInterrupt or OSError; what was done stays."""
        flavour = state.flavour()
        had = [line for line in read(self.stamp).splitlines() if line.startswith("torch ")]
        self.write_stamp(had)  # from now on nothing counts as installed
        print(f"Installing into {self.folder}. This happens once and takes a few minutes.", flush=True)
        if read(self.made) != state.identity() or not self.runner.version():
            self.environment()
            had = []
        self.pip()
        self.drop_halves()
        self.torch(flavour, change=bool(had) and had != [f"torch {flavour}"])
        self.packages()
        if flavour == "gpu":
            self.check_gpu()
        self.prepare()
        self.write_stamp([*state.marks(self.tests), f"torch {flavour}"])

    def environment(self) -> None:
        """Make .venv, in place of whatever is there: nothing, a broken or a moved one, another Python's."""
        self.terminal.stage("environment")
        if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
            package = "python{}.{}-venv".format(*sys.version_info)
            raise InstallError(
                "This Python comes without venv and ensurepip, which make a separate environment for the studio.\n"
                f"On Debian and Ubuntu: sudo apt install {package}\nThen start again."
            )
        for entry in self.folder.iterdir():
            if entry.name != "start.lock":
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        base = getattr(sys, "_base_executable", "") or sys.executable  # not a python of the .venv being replaced
        made = subprocess.run([base, "-m", "venv", state.VENV], capture_output=True, text=True, check=False)
        if made.returncode:
            raise InstallError(f"{(made.stdout + made.stderr).strip()}\n.venv could not be made. Start again.")
        self.made.write_text(state.identity(), encoding="utf-8")
        self.terminal.done("Python {}.{}.{}".format(*sys.version_info))

    def pip(self) -> None:
        """Bring pip up to date where it is too old to resume a cut download."""
        if self.runner.version() < OLDEST:
            self.terminal.stage("pip")
            self.runner.pip("install", "--upgrade", "pip>={}.{}".format(*OLDEST))
            self.terminal.done("pip {}.{}".format(*self.runner.version()))

    def drop_halves(self) -> None:
        """Forget packages whose install was cut. pip would take them for whole; it writes INSTALLER near the end."""
        for info in self.folder.glob("[Ll]ib/**/site-packages/*.dist-info"):
            if not (info / "INSTALLER").exists():
                shutil.rmtree(info)

    def torch(self, flavour: str, change: bool) -> None:
        """Get the build of torch that suits the machine, unless pip would take it anyway, along with the packages.

        Args:
            flavour: see `state.flavour`.
            change: a build for another flavour is installed.
        """
        self.terminal.stage("torch")
        self.constraints.write_text("", encoding="utf-8")
        names = self.resolve(change)
        backend = uv_backend(names, flavour, sys.platform) if "torch" in names else ""
        outcome = "the build on the package index fits" if names else "it is here"
        if backend:
            try:
                self.fetch_torch(backend)
                outcome = f"{self.torch_version()}, the build for {backend}"
            except InstallError:
                outcome = f"the build for {backend} cannot be reached, so the general one comes instead"
                if brings_cuda(names):
                    outcome += ": about 3 GB to fetch, 7 GB on disk"
        self.hold_torch()
        self.terminal.done(outcome)

    def resolve(self, afresh: bool) -> set[str]:
        """Names of the packages that pip would install for torch; all that it needs where `afresh`."""
        report = self.folder / "torch.json"
        everything = ["--ignore-installed"] if afresh else []
        self.runner.pip("install", "--dry-run", "--report", str(report), *everything, torch_requirement())
        return {item["metadata"]["name"].lower() for item in json.loads(read(report))["install"]}

    def fetch_torch(self, backend: str) -> None:
        """Let uv, which knows where the builds of torch are, fetch torch alone; the rest is on the user's own index."""
        self.runner.pip("install", "uv")
        options = ["--python", state.PYTHON, "--no-deps", "--reinstall-package", "torch", "--torch-backend", backend]
        self.runner.run(["-m", "uv", "pip", "install", *options, torch_requirement()])

    def torch_version(self) -> str:
        """The version of the installed torch, for example "2.13.0+cpu"; empty where there is none."""
        return self.runner.ask("from importlib.metadata import version; print(version('torch'))")

    def hold_torch(self) -> None:
        """See to it that nothing that is installed later brings another build of torch."""
        if version := self.torch_version():
            self.constraints.write_text(f"torch=={version}\n", encoding="utf-8")

    def packages(self) -> None:
        """Install everything in the requirements; some of it without what it says that it depends on."""
        names = [state.REQUIREMENTS[group] for group in ("app", *(("tests",) if self.tests else ()))]
        bare = state.REQUIREMENTS["bare"]
        self.terminal.stage("packages: " + " and ".join([*names, bare]))
        files = [part for name in names for part in ("-r", os.path.join(state.ROOT, name))]
        count = self.runner.pip("install", "-c", str(self.constraints), *files)
        count += self.runner.pip("install", "--no-deps", "-r", os.path.join(state.ROOT, bare))
        self.terminal.done(f"{count} installed")

    def check_gpu(self) -> None:
        """See that torch reaches the GPU; where it does not, get a build for an older driver."""
        reached = "import torch; print(torch.cuda.is_available() or '')"
        if self.runner.ask(reached):
            return
        self.terminal.stage("torch: a build for this GPU's driver")
        try:
            self.fetch_torch("auto")
            self.hold_torch()
            self.terminal.done(self.torch_version())
            self.packages()
        except InstallError:
            self.terminal.done("none found")
        if not self.runner.ask(reached):
            print("    torch cannot use the GPU, so the studio will use the CPU. A newer NVIDIA driver may help.")

    def prepare(self) -> None:
        """Let the studio fetch what its starter models need. Whatever goes wrong there does not stop the start."""
        environment = {**dotenv(Path(".env")), **os.environ}
        if not on(environment.get("STUDIO_PREPARE", "1")) or on(environment.get("STUDIO_OFFLINE", "0")):
            return
        self.terminal.stage("starter models: about 200 MB (STUDIO_PREPARE=0 leaves them out)")
        line = [state.PYTHON, "-P", "-m", "studio", "doctor", "--prepare"]
        if subprocess.run(line, env={**os.environ, "PYTHONPATH": state.ROOT}, check=False).returncode:
            print("    Not every starter model is here yet. Its first use fetches it.", flush=True)

    def write_stamp(self, lines: list[str]) -> None:
        """Put down what is installed."""
        part = self.stamp.with_suffix(".part")
        part.write_text("\n".join(lines), encoding="utf-8")
        os.replace(part, self.stamp)


def torch_requirement() -> str:
    """What requirements.txt asks of torch."""
    text = Path(state.ROOT, state.REQUIREMENTS["app"]).read_text(encoding="utf-8")
    return next(line.partition("#")[0].strip() for line in text.splitlines() if re.match(r"torch\b(?![-_])", line))


def brings_cuda(names: set[str]) -> bool:
    """True where these packages include the gigabytes that only a GPU needs."""
    return any(CUDA.match(name) for name in names)


def uv_backend(names: set[str], flavour: str, platform: str) -> str:
    """The build of torch that uv is to fetch; empty where the packages that pip chose (`names`) suit already.

    Args:
        flavour: "cpu", "gpu" or the name of a build, see `state.flavour`.
        platform: as in sys.platform.
    """
    if flavour not in ("cpu", "gpu"):
        return flavour
    if platform == "darwin" or brings_cuda(names) == (flavour == "gpu"):
        return ""
    return "cpu" if flavour == "cpu" else "auto"


def dotenv(path: Path) -> dict[str, str]:
    """The plain NAME=VALUE lines of a .env file."""
    pairs = (line.partition("=") for line in read(path).splitlines() if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def on(value: str) -> bool:
    """A switch, as the studio's settings read it."""
    return value.strip().lower() not in ("", "0", "false", "no", "off", "f", "n")


def read(path: Path) -> str:
    """The text of a file; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _terminated(*_: object) -> NoReturn:
    raise KeyboardInterrupt
