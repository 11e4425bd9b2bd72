"""Start the studio.

    python start.py                  install what is missing, then open the studio
    python start.py test             every check: ruff, pyright, import-linter, pytest
    python start.py test ARGUMENTS   pytest alone, with these arguments
    python start.py audiocraft       add audiocraft, an optional engine for music and sounds
    python start.py mcp              add what serves tools to programs that speak MCP
    python start.py c2pa             add what signs files and reads signatures
    python start.py gpu              have GGUF models computed by the graphics card, where there is one
    python start.py ray              add what a cluster of machines needs
    python start.py serve --ray      open the studio with this machine as the first of a cluster
    python start.py worker --join ADDRESS    lend this machine to the cluster there
    python start.py COMMAND ...      doctor, models, chat, image, upscale, info, again, music, code, caption

Decides whether .venv is ready and hands over to it; the package `install` makes it ready. It has no
annotations and no f-strings, because a Python that is too old must be able to read it and say so. It imports
next to nothing, because every later start pays for that.
"""

import os
import sys

# Also where PYTHONSAFEPATH leaves this folder out.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from install import state

CHECKS = (
    ("ruff", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", "--quiet", ".")),
    ("pyright", ("-m", "pyright")),
    ("import-linter", ("-c", "from importlinter.cli import lint_imports_command as run; run()")),
    ("pytest", ("-m", "pytest")),
)
# The whole suite runs in two processes: one drives the page in the browser, the other does everything else.
WHOLE = ["--numprocesses=2", "--dist=loadscope"]


def command(arguments):
    """The command line, in .venv, for the arguments of start.py."""
    if arguments[:1] == ["serve"]:
        return [state.PYTHON, os.path.join(state.ROOT, "app.py")] + arguments[1:]  # noqa: RUF005  (as below)
    if arguments:
        return [state.PYTHON, "-P", "-m", "studio"] + arguments  # noqa: RUF005  (no new syntax, see above)
    return [state.PYTHON, os.path.join(state.ROOT, "app.py")]


def hand_over(line):
    """Become the process `line`; on Windows, wait for it. The folder in which we were called stays the current one."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [state.ROOT, os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(line[0], line)
    import subprocess

    process = subprocess.Popen(line)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child has received Ctrl+C too, and says when it is done
            continue


def check(arguments):
    """Run every check, or pytest alone with `arguments`. Returns the exit code."""
    import subprocess

    failed = []
    chosen = [one for one in CHECKS if one[0] == "pytest" or not arguments]
    for name, check in chosen:
        print("== " + name)
        sys.stdout.flush()
        line = [state.PYTHON] + list(check) + (arguments if name == "pytest" else [])
        if name == "pytest" and not arguments:
            from install import second_look

            code = second_look.run(line + WHOLE, line, state.ROOT)
        else:
            code = subprocess.call(line, cwd=state.ROOT)
        if code:
            failed.append(name)
    print("Failed: " + ", ".join(failed) if failed else "Passed: " + ", ".join(name for name, _ in chosen))
    return 1 if failed else 0


def main(arguments):
    """Start. Returns the exit code, where there is anything left to return to."""
    if sys.version_info < (3, 11):  # noqa: UP036
        here = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write("The studio needs Python 3.11 or newer, and this is Python " + here + ".\n")
        sys.stderr.write("Install a newer one, then start again with it, for example: python3.12 start.py\n")
        return 1
    tests = arguments[:1] == ["test"]
    if arguments[:1] in (["-h"], ["--help"]):
        print((__doc__ or "").partition("\n\nDecides")[0])
        sys.stdout.flush()
        if not state.ready(False):
            return 0
    if not state.ready(tests):
        from install import stages

        code = stages.main(tests)
        if code:
            return code
    if arguments[:1] in (["audiocraft"], ["mcp"], ["c2pa"], ["ray"]):
        from install import extra

        return extra.main(*arguments[:2])
    if arguments[:1] == ["gpu"]:
        from install import gpu

        return gpu.main(*arguments[1:2])
    try:
        return check(arguments[1:]) if tests else hand_over(command(arguments))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
