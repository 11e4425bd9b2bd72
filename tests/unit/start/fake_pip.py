"""An environment's stamp and a pip that stand in for the real ones."""

import json
from pathlib import Path

from install import state
from install.pip import InstallError


def stamp(project: Path, *lines: str, tests: bool = False) -> None:
    (project / ".venv" / "atelier.stamp").write_text("\n".join([*state.marks(tests), *lines]))


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
