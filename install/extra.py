"""`python start.py audiocraft`, `mcp`, `c2pa` and `ray`: the packages of an optional part, beside those of the studio.

audiocraft asks for a torch of 2023 and for packages that are no longer built. So a closed list is installed, without
what it depends on; the others bring what they need. The studio's own packages stay as they are, which is looked at
afterwards. With the name of a folder they go into an environment of their own there, which sees everything in .venv
and leaves .venv as it is. Standard library only. Knows nothing of what the studio does with them.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from install import state
from install.pip import InstallError, Runner, Terminal
from install.stages import attempt, read

AUDIOCRAFT, MCP, C2PA, RAY = "audiocraft", "mcp", "c2pa", "ray"
THEN = {
    AUDIOCRAFT: "docs/models.md says how a model gets into it.",
    MCP: "Set STUDIO_MCP=1 as well; docs/mcp.md says what programs are told.",
    C2PA: "Set STUDIO_SIGN=1 as well, to sign what is made; python start.py verify FILE reads signatures.",
    RAY: "python start.py serve --ray opens it as the first of a cluster; docs/cluster.md says how others join.",
}
"""The optional parts, and what comes after the install of each."""
BARE = (AUDIOCRAFT,)
"""Those that are installed without what they depend on."""
INSTALLED = (
    "from importlib.metadata import distributions\n"
    "print(*{f'{one.name}=={one.version}' for one in distributions() if one.read_text('INSTALLER')})"
)


def main(name: str, folder: str = "") -> int:
    """Install what is missing of an extra, into .venv or into an environment in `folder`. Returns the exit code."""
    return attempt(lambda handle: Extra(handle, folder, name).run())


def requirements(name: str) -> str:
    """The file that lists the packages of an extra."""
    return f"requirements-{name}.txt"


class Extra:
    """One run.

    Args:
        lock: handle of the lock on .venv, held by the caller.
        folder: of an environment on top of .venv; empty for .venv itself.
        name: one of THEN.
    """

    def __init__(self, lock: int, folder: str = "", name: str = AUDIOCRAFT) -> None:
        self.name, self.file = name, os.path.join(state.ROOT, requirements(name))
        self.folder = Path(folder).resolve() if folder else Path(state.VENV)
        self.layered = bool(folder)
        inside = os.path.relpath(state.PYTHON, state.VENV)
        self.terminal = Terminal()
        self.base = Runner(state.PYTHON, Path(state.VENV, "install.log"), lock, self.terminal.detail)
        self.here = Runner(str(self.folder / inside), self.base.log, lock, self.terminal.detail)
        text = read(Path(self.file))
        self.wanted = {line.strip() for line in text.splitlines() if re.match(r"[\w.-]+==", line)}

    def run(self) -> None:
        """Install. Raises InstallError, KeyboardInterrupt or OSError; the next call goes on from there."""
        if self.layered:
            self.layer()
        if self.wanted <= self.installed():
            print(f"{self.name} is here already, in {self.folder}.")
            return
        bare = self.name in BARE
        told = ", without what they depend on" if bare else ""
        self.terminal.stage(f"packages: {requirements(self.name)}{told}")
        before, troubles = self.installed(), self.troubles()
        aim = ["--python", self.here.python] if self.layered else []
        alone = ["--no-deps", "--force-reinstall"] if bare else []
        count = self.base.pip(*aim, "install", *alone, "-r", self.file)
        self.terminal.done(f"{count} installed")
        self.compare(before, troubles)
        print(f"{self.name} is installed. Start the studio again. {THEN[self.name]}")

    def compare(self, before: set[str], troubles: set[str]) -> None:
        """See that the studio's own packages are what they were, and that all of them still find what they need."""
        changed = {one for one in before - self.installed() if not self.ours(one)}
        if found := changed | {line for line in self.troubles() - troubles if not self.ours(line)}:
            raise InstallError(
                "\n".join(["The studio's own packages are not what they were:", *sorted(found)])
                + "\nDelete the folder .venv and start again, to have them as they should be."
            )
        print("    The studio's own packages are as they were, and pip check finds nothing new that they lack.")
        if self.name in BARE:
            print(f"    It names what {self.name} itself asks for: that is left out on purpose.")

    def installed(self) -> set[str]:
        """Every package that this environment sees whole, as "name==version"."""
        return set(self.here.ask(INSTALLED).split())

    def troubles(self) -> set[str]:
        """The lines of pip check."""
        aim = ["--python", self.here.python] if self.layered else []
        line = [state.PYTHON, "-I", "-m", "pip", *aim, "check", "--disable-pip-version-check"]
        return set(subprocess.run(line, capture_output=True, text=True, check=False).stdout.splitlines())

    def ours(self, line: str) -> bool:
        """True where a line of pip, or a "name==version", is about one of the packages in the list."""
        names = {one.partition("==")[0] for one in self.wanted}
        return re.split(r"==| ", line, maxsplit=1)[0] in names

    def layer(self) -> None:
        """Make the environment on top of .venv, where it is not there yet or belongs to another Python."""
        below = self.base.ask("import sysconfig; print(sysconfig.get_path('purelib'))")
        if below in self.here.ask("import sys; print(*sys.path, sep=chr(10))").splitlines():
            return
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / "pyvenv.cfg").exists():
            raise InstallError(f"{self.folder} holds other things.\nName a folder that does not exist yet.")
        self.terminal.stage("environment")
        self.base.run(["-m", "venv", "--without-pip", "--clear", str(self.folder)])
        above = self.here.ask("import sysconfig; print(sysconfig.get_path('purelib'))")
        Path(above, "atelier.pth").write_text(below + "\n", encoding="utf-8")
        self.terminal.done(str(self.folder))
