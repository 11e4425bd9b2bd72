"""The person's own models.toml, changed without a word of theirs being lost: comments, order and forms stay."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.paths import put_file

FOLDERS = "folders"
"""The table that names folders whose models stand beside the others; `look` is their list."""


def folders(file: Path) -> tuple[Path, ...]:
    """The folders that the file names; none where it cannot be read: whoever reads the models says so."""
    try:
        named = tomllib.loads(file.read_text(encoding="utf-8")).get(FOLDERS, {}).get("look", [])
        return tuple(Path(one).expanduser() for one in named if isinstance(one, str) and "\0" not in one)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, RuntimeError):
        return ()


def set_folders(file: Path, wanted: Iterable[Path]) -> None:
    """Name these folders and no others.

    Raises:
        StudioError: bad_own_models where the file is no TOML; cannot_write, disk_full.
    """
    import tomlkit

    document = _read(file)
    listed = tomlkit.array()
    for one in wanted:
        listed.add_line(str(one))
    listed.add_line(indent="")
    table = document.get(FOLDERS)
    if not isinstance(table, dict):
        table = document[FOLDERS] = tomlkit.table()
    table["look"] = listed
    put_file(file, tomlkit.dumps(document).encode())


def add(file: Path, id: str, table: Mapping[str, Any]) -> None:
    """Add the table of a model at the end.

    Args:
        table: its fields; those that are empty are left out, and a mapping in it becomes one line.

    Raises:
        StudioError: bad_own_models where the file is no TOML, taken_id where it has a model of this id; cannot_write,
            disk_full.
    """
    import tomlkit

    document = _read(file)
    models = document.get("models")
    if isinstance(models, dict) and id in models:
        raise StudioError("taken_id", model=id)
    own = tomlkit.table()
    for key, value in table.items():
        if value in ("", None, (), [], {}):
            continue
        if key == "parts":
            parts = tomlkit.table(is_super_table=True)
            for name, part in value.items():
                inner = tomlkit.table()
                for field, what in part.items():
                    inner[field] = _inline(what)
                parts[name] = inner
            own[key] = parts
        else:
            own[key] = _inline(value)
    if not isinstance(models, dict):
        models = tomlkit.table(is_super_table=True)
        models[id] = own
        document["models"] = models
    else:
        models[id] = own
    text = tomlkit.dumps(document)
    tomllib.loads(text)  # nobody's file is replaced by one that cannot be read
    put_file(file, text.encode())


def _inline(value: Any) -> Any:
    import tomlkit

    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, one in value.items():
            table[key] = _inline(one)
        return table
    return list(value) if isinstance(value, tuple) else value


def _read(file: Path) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(file.read_text(encoding="utf-8")) if file.exists() else tomlkit.document()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise StudioError("bad_own_models", path=str(file), reason=str(error)[:200]) from None
