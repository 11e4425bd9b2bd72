"""The rules of this project that a person cannot be trusted to remember."""

import ast
import json
import os
import re
import string
import subprocess
import sys
import tomllib
import warnings
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from install.extra import THEN
from studio.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "transformers", "diffusers", "accelerate", "xllamacpp"}
NETWORKS = {ROOT / "studio" / "engines" / kind / "networks" for kind in ("caption", "lab")}
"""Classes of torch modules, which can only be written with torch at hand; engines import them when they load."""
MODULES = sorted(file for folder in ("studio", "tabs") for file in (ROOT / folder).rglob("*.py"))
CODE = [*MODULES, *sorted((ROOT / "install").glob("*.py")), ROOT / "start.py", ROOT / "app.py"]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("bench/*.md"), *ROOT.glob("docs/**/*.md")])
TEXTS = sorted((ROOT / "assets" / "i18n" / "en").glob("*.json"))
LANGUAGES = sorted(folder.name for folder in (ROOT / "assets" / "i18n").iterdir() if folder.name != "en")


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def python(code: str) -> str:
    return subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)


@cache
def tracked() -> list[Path]:
    listing = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    return [ROOT / line for line in listing.split("\0") if line and (ROOT / line).exists()]


# Code


WARNING, CEILING = 300, 400
"""Lines of a file: over the first it may well be two things, over the second it is. A base class is no way to fit."""


@pytest.mark.parametrize("file", MODULES, ids=name)
def test_a_file_of_many_lines_asks_to_be_two(file):
    count = len(file.read_text(encoding="utf-8").splitlines())
    assert count <= CEILING
    if count > WARNING:
        warnings.warn(f"{name(file)} has {count} lines: is it two things?", stacklevel=1)


BASES = {
    "ChatAnswer": "the answer to a conversation is watched like any other, and is kept when it ends",
    "Casts": "engines whose weights become one float type while they are read say so in the same way",
    "Faster": "faster ways of models are switched on, judged and left in the same way",
    "Painting": "a picture from a picture takes all that one from words does",
    "Parking": "loaded models of torch modules leave their device and come back in the same way",
    "PartContext": "what a plan tells of one part of its work is what it tells of all of it, but for the steps",
    "Plan": "plans answer what a job is asked of them, most of it in the same way",
    "Refused": "an error",
    "RunContext": "what one plan tells differently, it tells by the same methods",
    "Single": "an answer is one request, and is watched while it is written",
}
"""Classes of ours that others of ours inherit from, and why. None was cut off its child to make a file shorter."""


def inherited():
    """Classes of ours, protocols aside, that classes of ours inherit from."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in MODULES]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = {kind: {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in kind.bases} for kind in classes}
    ours = {kind.name for kind in classes if "Protocol" not in bases[kind]}
    return {base for kind in classes for base in bases[kind] & ours}


def test_no_class_is_the_first_half_of_another():
    assert inherited() == set(BASES)


@pytest.mark.parametrize("file", MODULES, ids=name)
def test_every_module_says_what_it_is_for(file):
    text = file.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)) or not text.strip()
    assert file.stem not in {"utils", "helpers", "misc", "common"}


def test_the_page_and_the_engine_load_no_model_library():
    loaded = set(python("import sys, studio, tabs; print(*sys.modules)").split())
    assert not HEAVY & loaded


def test_the_service_waits_for_nothing_that_only_some_ask_for():
    loaded = set(python("import sys, studio.service; print(*sys.modules)").split())
    assert not (HEAVY | {"numpy", "httpx", "gradio", "spaces"}) & loaded


def test_no_module_of_the_engine_loads_a_model_library_or_gradio_when_imported():
    modules = [
        name(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for file in MODULES
        if file.is_relative_to(ROOT / "studio") and file.stem != "__main__" and file.parent not in NETWORKS
    ]
    loaded = set(python(f"import sys, {', '.join(modules)}; print(*sys.modules)").split())
    assert not (HEAVY | {"gradio"}) & loaded


@pytest.mark.parametrize("file", [file for file in MODULES if file.is_relative_to(ROOT / "studio")], ids=name)
def test_what_only_some_engines_can_do_is_a_protocol(file):
    assert not list(abilities(ast.parse(file.read_text(encoding="utf-8"))))


def abilities(tree: ast.AST):
    """Methods of engines, and of the models that they load, which are asked for by a string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "hasattr"} and len(node.args) > 1:
            asked = ast.unparse(node.args[0].func if isinstance(node.args[0], ast.Call) else node.args[0])
            word = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            if asked.rpartition(".")[2].lstrip("_") in {"engine", "model", "loaded"} and word not in OF_TORCH:
                yield f"line {node.lineno}: {word}"


OF_TORCH = {"encoder", "text_decoder", None}
"""Parts of the libraries' own models; and names that are no literal, by which a process hears of its model."""


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('getattr(engine(card.engine), "reading", None)', True),
        ('getattr(model, "together", None)', True),
        ('hasattr(self._engine, "hears")', True),
        ("isinstance(engine(card.engine), ReadsPrompt)", False),
        ('getattr(request, "count", 1)', False),
    ],
)
def test_the_search_for_abilities_finds(code, found):
    assert bool(list(abilities(ast.parse(code)))) is found


@pytest.mark.parametrize("file", CODE, ids=name)
def test_no_code_comes_out_of_data(file):
    found = [f"line {node.lineno}: {why}" for node, why in dangers(ast.parse(file.read_text(encoding="utf-8")))]
    assert not found


def dangers(tree: ast.AST):
    """Nodes that could run what a file or a person supplies, with the reason."""
    modules = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and modules & {alias.name.partition(".")[0] for alias in node.names}:
            yield node, "pickle"
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in modules:
            yield node, "pickle"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in {"eval", "exec", "__import__", "os.system", "os.popen", "yaml.load"}:
            yield node, called
        if called == "torch.load" and "weights_only" not in {keyword.arg for keyword in node.keywords}:
            yield node, called
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else "unknown"
            if keyword.arg in {"trust_remote_code", "shell", "allow_pickle"} and value is not False:
                yield node, f"{keyword.arg}={value}"
            if keyword.arg in {"weights_only", "use_safetensors"} and value is not True:
                yield node, f"{keyword.arg}={value}"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "eval(x)",
        "torch.load(path)",
        "torch.load(path, weights_only=flag)",
        "subprocess.run(line, shell=True)",
        "AutoModel.from_pretrained(x, trust_remote_code=flag)",
        "load(x, use_safetensors=False)",
    ],
)
def test_the_search_for_dangers_finds(code):
    assert list(dangers(ast.parse(code)))


PARTS = ("tests", "tests/models", "tests/unit/manager", "tests/unit/cluster")
BENCH_PATH = (ROOT / "bench", *(ROOT / part for part in PARTS))
"""Where benchmarks find modules of ours beside the studio."""
BROUGHT = {"tokenizers", "starlette", "uvicorn"}
"""Packages that those of requirements.txt bring along."""


def imports(file: Path, seen: set[Path] | None = None):
    """First names of all modules that a script imports at any time, itself or through modules beside it."""
    seen = set() if seen is None else seen
    if file in seen:
        return set()
    seen.add(file)
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    beside = {one: path for one in found for folder in BENCH_PATH if (path := folder / f"{one}.py").exists()}
    return (found - beside.keys()).union(*(imports(path, seen) for path in beside.values()))


@pytest.mark.parametrize("file", sorted((ROOT / "bench").glob("*.py")), ids=name)
def test_a_benchmark_runs_with_what_a_user_installs(file):
    """But for those of the page, which need the browser of the tests, and of the cluster, which needs Ray."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    installed = {re.split(r"[\[<>=]", line)[0].lower() for line in lines if line[:1] != "#"} | BROUGHT
    packages = {module: {one.lower() for one in of} for module, of in packages_distributions().items()}
    others = imports(file) - sys.stdlib_module_names - {"studio", "tabs", "install"}
    others -= {"ray"} if file.name == "cluster.py" else set()
    others -= {"playwright"} if file.name in ("page.py", "mending.py", "lab.py") else set()
    assert not {module for module in others if not packages.get(module, set()) & installed}


# Texts


OTHER_WORDS = {
    "令牌数": "词元数", "负面提示": "反向提示词", "引导强度": "引导系数", "变异": "变化", "载入": "加载",
    "图像": "图片", "跳过层": "跳层", "长短": "长度", "设定": "设置",
}  # fmt: skip
"""One term has one Chinese word: those that are not used, and the one that is."""
MEANT_SO = {"help.system"}
"""Texts in which such a word is a verb of everyday language."""


def test_a_term_has_one_chinese_word():
    found = {}
    for file in (ROOT / "assets" / "i18n" / "zh-CN").glob("*.json"):
        for key, text in json.loads(file.read_text(encoding="utf-8")).items():
            others = [other for other in OTHER_WORDS if other in text and key not in MEANT_SO]
            others += re.findall(r"[A-G](?:大调|小调)", text)  # "D 大调" has its space
            found |= {key: others} if others else {}
    assert found == {}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("english", TEXTS, ids=lambda file: file.stem)
def test_every_language_says_all_that_english_says(english, language):
    ours = json.loads(english.read_text(encoding="utf-8"))
    theirs = json.loads((ROOT / "assets" / "i18n" / language / english.name).read_text(encoding="utf-8"))
    assert theirs.keys() == ours.keys()
    for key, text in ours.items():
        assert fields(theirs[key]) == fields(text), key
        assert bool(theirs[key].strip()) == bool(text.strip()), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_has_a_file_that_english_lacks(language):
    assert {file.name for file in (ROOT / "assets" / "i18n" / language).iterdir()} == {file.name for file in TEXTS}


def fields(text: str) -> set[str]:
    """The placeholders of a text."""
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def raised() -> list[tuple[str, str, set[str] | None]]:
    """Every StudioError that the code makes: where, its code and the values it gives; None where they are computed."""
    found = []
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("StudioError") and node.args):
                continue
            if isinstance(code := node.args[0], ast.Constant):
                given = {word.arg or "**" for word in node.keywords}
                found.append((f"{name(file)}:{node.lineno}", str(code.value), None if "**" in given else given))
    assert found
    return found


def test_every_error_has_a_text():
    texts = json.loads((ROOT / "assets" / "i18n" / "en" / "error.json").read_text(encoding="utf-8"))
    assert not {f"error.{code}.{part}" for _, code, _ in raised() for part in ("what", "next")} - texts.keys()


def test_every_error_gives_its_text_what_it_names():
    """Two places that mean different things by one code show it: one of them leaves a placeholder empty."""
    texts = json.loads((ROOT / "assets" / "i18n" / "en" / "error.json").read_text(encoding="utf-8"))
    lacking = []
    for where, code, given in raised():
        named = fields(texts[f"error.{code}.what"]) | fields(texts[f"error.{code}.next"])
        if given is not None and named - given:
            lacking.append((where, code, named - given))
    assert lacking == []


# Files


def test_no_tracked_file_is_too_big_to_clone():
    assert not [name(file) for file in tracked() if file.stat().st_size > 10_000_000]


def test_a_model_is_never_stored_as_a_pickle():
    assert not [name(file) for file in tracked() if file.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"}]


def test_requirements_leave_out_what_breaks_or_doubles_the_install():
    wanted = (ROOT / "requirements.txt").read_text() + (ROOT / "requirements-dev.txt").read_text()
    names = {re.split(r"[\[<>=~! ]", line)[0].lower() for line in wanted.splitlines() if line}
    assert not names & {"torchaudio", "torchvision", "audiocraft", "xformers", *BARE}


BARE = ("spandrel",)
"""Packages that declare torchvision and need none: installed without what they declare (requirements-bare.txt)."""


def test_what_is_installed_bare_is_exact_and_finds_what_it_needs_among_the_others():
    lines = (ROOT / "requirements-bare.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in lines if line[:1] != "#"} == set(BARE)
    app = (ROOT / "requirements.txt").read_text().splitlines()
    needed = {"torch", "safetensors", "numpy", "einops"}
    assert needed <= {re.split(r"[\[<>=]", line)[0] for line in app}


def test_every_dependency_has_a_reason():
    reasons = (ROOT / "docs" / "decisions" / "002-dependencies.md").read_text(encoding="utf-8")
    for line in [*(ROOT / "requirements.txt").open(), *(ROOT / "requirements-bare.txt").open()]:
        package = re.split(r"[\[<>=]", line)[0]
        assert line.startswith("#") or f"`{package}`" in reasons, package


# Documents


def test_the_space_runs_what_the_requirements_say():
    matter = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    front = dict(re.findall(r"^(\w+): \"?(.*?)\"?$", matter, re.M))
    assert f"gradio=={front['sdk_version']}" in (ROOT / "requirements.txt").read_text().splitlines()
    assert (ROOT / front["app_file"]).exists()
    assert len(front["short_description"]) <= 60
    assert front["license"] == "apache-2.0"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_to_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        there = "://" in target or (page.parent / target).exists()
        assert there, target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_in_documents_exist(page):
    known = {f"STUDIO_{field}".upper() for field in Settings.model_fields} | {"STUDIO_TORCH"}
    assert set(re.findall(r"\bSTUDIO_[A-Z_]+\b", page.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_trees_in_documents_show_real_files(page):
    for tree in re.findall(r"```tree\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        folder = ROOT
        for line in filter(None, tree.splitlines()):
            entries = re.split(r"\s{2,}", line.strip())[0].split()
            if not line.startswith(" "):
                folder = ROOT / entries[0] if entries[0].endswith("/") else ROOT
                assert all((ROOT / entry).exists() for entry in entries), line
            else:
                assert all((folder / entry).exists() for entry in entries), line


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_tests_in_documents_exist(page):
    known = {file.stem for file in (ROOT / "tests").rglob("test_*.py")}
    for file in (ROOT / "tests").rglob("test_*.py"):
        known |= set(re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"\btest_\w+", page.read_text(encoding="utf-8"))) <= known


def shown() -> set[Path]:
    """What the map shows: every file and folder in its tree, and the modules that a package's own docstring lists."""
    files: set[Path] = set()
    for tree in re.findall(r"```tree\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S):
        folder = ROOT
        for line in filter(None, tree.splitlines()):
            entries = re.split(r"\s{2,}", line.strip())[0].split()
            if not line.startswith(" "):
                folder = ROOT / entries[0] if entries[0].endswith("/") else ROOT
                files |= {ROOT / entry for entry in entries}
            else:
                files |= {folder / entry for entry in entries}
    for package in (ROOT / "studio").rglob("__init__.py"):
        lines = (ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or "").splitlines()
        for line in (line for line in lines if re.match(r"\w+\.py\b", line)):
            files |= {package.parent / entry for entry in re.findall(r"\w+\.py\b", line)}
    return files


def test_the_map_shows_every_folder_and_every_module():
    modules = [file for folder in ("studio", "tabs", "install") for file in (ROOT / folder).rglob("*.py")]
    wanted = {file for file in modules if file.stem != "__init__"} | {file.parent for file in modules}
    assert not sorted(name(file) for file in wanted - shown())
    assert not sorted(name(file) for file in shown() if not file.exists())


def shell_lines(page: Path) -> list[list[str]]:
    """The commands in a document's shell blocks, without environment settings in front and comments behind."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    lines = [re.sub(r"\s+#.*", "", line).split() for block in blocks for line in block.splitlines()]
    return [[word for i, word in enumerate(line) if i or "=" not in word] for line in lines if line and line[0] != "#"]


@cache
def usage(*words: str) -> str:
    """What the command line says about itself."""
    line = [sys.executable, "-m", "studio", *words, "--help"]
    return subprocess.check_output(line, cwd=ROOT, text=True, env={**os.environ, "COLUMNS": "200"})


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_documents_exist(page):
    for line in shell_lines(page):
        words = line[line[0] in {"python", ".venv/bin/python", "bash"} :]
        if words[0] == "-m":
            assert words[1] in {"studio", "pytest"}, line
            words = words[1:]
        else:
            assert words[0] in {"git", "cd", "sudo"} or (ROOT / words[0]).exists(), line
        if words[0] in ("studio", "start.py") and words[1:2] not in (
            [],
            ["test"],
            *([name] for name in THEN),
            ["serve"],
            ["gpu"],
        ):
            assert re.search(rf"^\W*{words[1]}\b", usage(), re.M), line
            word = words[2] if len(words) > 2 and words[2][0] != "-" else ""
            named = word and re.search(rf"^\s+{re.escape(word)}\s", usage(words[1]), re.M)
            inner = words[2:3] if named else []
            for option in (word for word in words[2:] if word.startswith("--")):
                assert option in usage(words[1], *inner), line


def test_the_test_tools_are_pinned_where_a_newer_one_would_find_new_faults():
    tools = (ROOT / "requirements-dev.txt").read_text()
    assert re.search(r"^ruff==", tools, re.M)
    assert re.search(r"^pyright\[nodejs\]==", tools, re.M)
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pyright"]["pythonVersion"] == "3.11"
