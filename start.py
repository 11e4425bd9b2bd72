"""Start the studio.

    python start.py                  install what is missing, then open the studio
    python start.py test             every check: ruff, pyright, import-linter, pytest
    python start.py test ARGUMENTS   pytest alone, with these arguments
    python start.py audiocraft       add audiocraft, an optional engine for music and sounds
    python start.py COMMAND ...      doctor, models, chat, image, upscale, info, again, music, code, caption

Decides whether .venv is ready and hands over to it; the package `install` makes it ready. It has no
annotations and no f-strings, because a Python that is too old must be able to read it and say so. It imports
next to nothing, because every later start pays for that.
"""

import os
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
STAMP = os.path.join(VENV, "atelier.stamp")
REQUIREMENTS = {"app": "requirements.txt", "tests": "requirements-dev.txt"}
CHECKS = (
    ("ruff", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", "--quiet", ".")),
    ("pyright", ("-m", "pyright")),
    ("import-linter", ("-c", "from importlinter.cli import lint_imports_command as run; run()")),
    ("pytest", ("-m", "pytest")),
)
# The whole suite runs in two processes: one drives the page in the browser, the other does everything else.
WHOLE = ["--numprocesses=2", "--dist=loadscope"]


def identity():
    """What a .venv cannot change without being made again: where it is and whose it is."""
    return VENV + " " + sys.implementation.cache_tag


def nvidia():
    """True where an NVIDIA driver is at work. Looks at files only, so it costs nothing."""
    if os.name == "nt":
        return os.path.exists(os.path.join(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "nvcuda.dll"))
    return os.path.exists("/dev/nvidiactl") or os.path.exists("/usr/lib/wsl/lib/libcuda.so.1")


def flavour():
    """The build of torch for this machine: "cpu", "gpu", or what STUDIO_TORCH says, for example "rocm6.4"."""
    return os.environ.get("STUDIO_TORCH") or ("gpu" if nvidia() else "cpu")


def marks(tests):
    """The lines that the stamp of an install holds, one a group of requirements."""
    import hashlib

    lines = []
    for group, name in sorted(REQUIREMENTS.items()):
        if group == "app" or tests:
            with open(os.path.join(ROOT, name), "rb") as file:
                lines.append(group + " " + hashlib.sha256(identity().encode() + file.read()).hexdigest())
    return lines


def ready(tests):
    """True where .venv holds what the requirements ask for, so that nothing is installed."""
    if not os.path.exists(PYTHON):
        return False
    try:
        with open(STAMP) as file:
            stamp = file.read().splitlines()
    except (OSError, ValueError):
        return False
    # A GPU build also runs where the GPU is gone for the moment.
    fits = {"torch " + flavour()} | ({"torch gpu"} if flavour() == "cpu" else set())
    return not fits.isdisjoint(stamp) and set(marks(tests)).issubset(stamp)


def command(arguments):
    """The command line, in .venv, for the arguments of start.py."""
    if arguments:
        return [PYTHON, "-P", "-m", "studio"] + arguments  # noqa: RUF005  (no new syntax, see above)
    return [PYTHON, os.path.join(ROOT, "app.py")]


def hand_over(line):
    """Become the process `line`; on Windows, wait for it. The folder in which we were called stays the current one."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
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
    for name, line in chosen:
        print("== " + name)
        sys.stdout.flush()
        extra = (arguments or WHOLE) if name == "pytest" else []
        if subprocess.call([PYTHON] + list(line) + extra, cwd=ROOT):  # noqa: RUF005
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
        if not ready(False):
            return 0
    if not ready(tests):
        import install

        code = install.main(tests)
        if code:
            return code
    if arguments[:1] == ["audiocraft"]:
        from install import extra

        return extra.main(*arguments[1:2])
    try:
        return check(arguments[1:]) if tests else hand_over(command(arguments))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
