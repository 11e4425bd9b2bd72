"""Model files out of a wheel on the user's own package index, taken out whole or not at all."""

import hashlib
import os
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.errors import Cancelled, StudioError
from studio.paths import Home, occupied
from studio.store import Store, package_index

WEIGHTS = bytes(range(256)) * 1600
INSIDE = "tiny_model/tiny.gguf"
WHEEL = "tiny_model-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def _plain_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel whose only content of worth is a model file."""
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(INSIDE, WEIGHTS)
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('a wheel was run')")
        archive.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def file_index(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A simple index in a folder."""
    page = tmp_path / "simple" / "tiny-model" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{wheel.as_uri()}#sha256={digest(wheel.read_bytes())}">{WHEEL}</a>')
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    return page


@pytest.fixture
def index(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A simple index over HTTP."""
    with serving() as server:
        body = wheel.read_bytes()
        page = f'<!DOCTYPE html><a href="/wheels/{WHEEL}#sha256={digest(body)}">{WHEEL}</a>'
        server.files = {f"/wheels/{WHEEL}": body, "/simple/tiny-model/": page.encode()}
        server.files[f"/wheels/{WHEEL}.metadata"] = b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
        server.files["/simple/tiny-model/"] = page.replace("<a ", '<a data-core-metadata="true" ').encode()
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def card(**changes: object) -> Card:
    known = {"package": "tiny-model", "version": "1.0", "files": (INSIDE,), "sha256": {INSIDE: digest(WEIGHTS)}}
    where = Source("package", **{**known, **changes})  # pyright: ignore[reportArgumentType]
    return tiny_card(where, len(WEIGHTS))


def fetch(store: Store, wanted: Card) -> Path:
    return store.fetch(wanted, lambda *_: None, lambda: False)


@pytest.mark.usefixtures("file_index")
def test_the_named_file_comes_out_of_an_index_in_a_folder(home: Home, wheel: Path) -> None:
    store = Store(home)
    path = fetch(store, card())
    assert path.read_bytes() == WEIGHTS
    kept = sorted(file.name for file in (home.models / "package").rglob("*") if file.is_file())
    assert kept == ["complete.json", "tiny.gguf"]
    assert store.state(card()) == "ready"
    assert store.revision(card()) == "tiny-model==1.0"
    assert wheel.exists()


@pytest.mark.usefixtures("courier")
def test_a_wheel_that_stopped_half_way_is_resumed_and_thrown_away_after_use(index: FileServer, home: Home) -> None:
    index.held, index.held_at, stop = ".whl", 1 << 17, [False]

    def progress(done: int, _: int) -> None:
        stop[0] = done >= 1 << 17

    store = Store(home)
    with pytest.raises(Cancelled):
        store.fetch(card(), progress, lambda: stop[0])
    assert store.state(card()) == "partial"
    index.gate.set()
    assert fetch(store, card()).read_bytes() == WEIGHTS
    assert index.asked(f"/wheels/{WHEEL}")[-1].startswith("bytes=")
    assert not list(home.models.rglob("*.whl*"))


def test_where_the_address_refuses_us_pip_fetches_by_its_own_ways(index: FileServer, home: Home) -> None:
    index.refused, index.refused_agent = {f"/wheels/{WHEEL}"}, "python-httpx2"
    assert fetch(Store(home), card()).read_bytes() == WEIGHTS
    assert not list(home.models.rglob("*.whl*"))
    assert not list(home.models.rglob(".pip-*"))


def test_counting_a_folder_that_pip_clears_up_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip-unpack").mkdir()
    (tmp_path / "half.whl").write_bytes(b"12345")
    scan = os.scandir

    def clears_up(folder: object) -> object:
        if os.path.isdir(tmp_path / "pip-unpack") and str(folder).endswith("pip-unpack"):
            os.rmdir(tmp_path / "pip-unpack")
        return scan(folder)  # pyright: ignore

    monkeypatch.setattr(os, "scandir", clears_up)
    assert occupied(tmp_path) == 5
    assert not (tmp_path / "pip-unpack").exists()


@pytest.mark.usefixtures("index")
def test_a_package_that_the_index_lacks_is_named(home: Home) -> None:
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card(version="2.0"))
    assert (caught.value.code, caught.value.params["package"]) == ("not_on_index", "tiny-model==2.0")


def test_no_network_is_said_in_one_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free.getsockname()[1]}/simple")
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card())
    assert caught.value.code == "offline"


@pytest.mark.usefixtures("file_index")
def test_a_file_that_is_not_what_the_catalogue_says_is_refused(home: Home) -> None:
    store, wrong = Store(home), card(sha256={INSIDE: "0" * 64})
    with pytest.raises(StudioError) as caught:
        fetch(store, wrong)
    assert caught.value.code == "bad_hash"
    assert not list(home.models.rglob("*.gguf"))
    assert store.state(wrong) != "ready"


@pytest.mark.usefixtures("file_index")
def test_a_file_that_the_wheel_lacks_is_named(home: Home) -> None:
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card(files=("tiny_model/gone.gguf",), sha256={}))
    assert (caught.value.code, caught.value.params["file"]) == ("missing_files", "tiny_model/gone.gguf")


def test_a_wheel_that_is_no_archive_is_thrown_away(index: FileServer, home: Home) -> None:
    index.files[f"/wheels/{WHEEL}"] = b"not a zip"
    page = index.files["/simple/tiny-model/"].decode()
    index.files["/simple/tiny-model/"] = page.replace(page[page.index("#sha256") : page.index('">')], "").encode()
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card())
    assert caught.value.code == "bad_hash"
    assert not list(home.models.rglob("*.whl*"))


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("changes", [{"sha256": {INSIDE: "0" * 64}}, {"files": ("gone",)}], ids=["hash", "name"])
def test_a_wheel_with_the_wrong_content_is_not_kept(home: Home, changes: dict[str, object]) -> None:
    with pytest.raises(StudioError):
        fetch(Store(home), card(**changes))
    assert not list(home.models.rglob("*.whl*"))


def test_stopping_ends_pip_too(index: FileServer, home: Home) -> None:
    index.held = "/simple/tiny-model/"
    with pytest.raises(Cancelled):
        Store(home).fetch(card(), lambda *_: None, lambda: bool(index.requests))


def test_a_missing_pip_is_named(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "pip.py").write_text("raise SystemExit('/usr/bin/python3: No module named pip')")
    monkeypatch.setenv("PYTHONPATH", str(bare))
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card())
    assert (caught.value.code, caught.value.params["package"]) == ("missing_package", "pip")


@pytest.mark.usefixtures("file_index")
def test_an_old_pip_that_cannot_say_where_the_wheel_is_fetches_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "_locate", lambda *_: ("", ""))
    assert fetch(Store(home), card()).read_bytes() == WEIGHTS
    assert not list(home.models.rglob("*.whl*"))
