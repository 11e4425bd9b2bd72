"""Index of the library: one row an item in an SQLite file, so that a hundred thousand are searched in an instant.

The files are what there is; the index only knows it faster, and may be deleted at any time (studio.library.archive
makes it again). Words are looked for anywhere in an item's folded text: an index of trigrams finds no Chinese word of
two signs, and leaves short words out of a question without saying so (docs/decisions/052-library.md).
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from studio.errors import StudioError
from studio.library.items import Item, folded
from studio.library.marks import Mark
from studio.requests import Task

VERSION = 1
PAGE = 60
MOST_COUNTED = 10_000
"""Items that are counted: nobody reads further, and a word that stands everywhere would cost a look at all."""
MAX_QUERY = 200
"""Letters of a question that are read."""
_log = logging.getLogger(__name__)
_TABLES = """
CREATE TABLE items (
  id TEXT PRIMARY KEY, folder TEXT NOT NULL, task TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
  title TEXT NOT NULL, model TEXT NOT NULL, model_title TEXT NOT NULL, size INTEGER NOT NULL, stamp TEXT NOT NULL,
  imported INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX items_folder ON items (folder, id, stamp);
CREATE INDEX items_model ON items (model, model_title);
CREATE INDEX items_task ON items (task);
CREATE TABLE words (
  at INTEGER NOT NULL, id TEXT NOT NULL, task TEXT NOT NULL, model TEXT NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (at, id)
) WITHOUT ROWID;
CREATE TABLE stars (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE marks (
  id TEXT PRIMARY KEY, tags TEXT NOT NULL, note TEXT NOT NULL, collections TEXT NOT NULL, text TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE folders (path TEXT PRIMARY KEY, parent TEXT NOT NULL, stamp TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_ROW = (
    "SELECT i.id, i.task, i.kind, i.at, i.title, i.model, i.model_title, '', i.size, i.stamp, i.imported, s.id, "
    "m.tags, m.note, m.collections FROM items i LEFT JOIN stars s ON s.id = i.id LEFT JOIN marks m ON m.id = i.id "
)


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; what is empty is no condition.

    Attributes:
        text: words that an item has all of, anywhere, in any case.
        since, until: milliseconds since 1970; `until` itself is out.
    """

    text: str = ""
    tasks: tuple[Task, ...] = ()
    model: str = ""
    tag: str = ""
    collection: str = ""
    starred: bool = False
    since: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found, newest first.

    Attributes:
        following: what `page` is given for the next one; empty on the last.
        count: of all that fits the query, one more than MOST_COUNTED where there are more; -1 where nobody asked.
    """

    items: tuple[Item, ...]
    following: str = ""
    count: int = -1


class Index:
    """The rows in one file. Safe to use from several threads and several processes.

    A file that is damaged, or of another version, is begun anew: it holds nothing that the files do not.

    Raises:
        StudioError: cannot_write, where the folder refuses.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    # ---- asking

    def page(self, query: Query, after: str = "", limit: int = PAGE, *, count: bool = False) -> Found:
        """The items that fit a query, from the newest, or from behind the page that ended with `after`.

        Args:
            count: also how many there are in all.
        """
        where, values = _conditions(query)
        at, _, last = after.partition(" ")
        further = ("AND (w.at, w.id) < (?, ?)", (int(at), last)) if at.lstrip("-").isdecimal() else ("", ())
        keys = f"SELECT w.at, w.id FROM words w WHERE {where} {further[0]} ORDER BY w.at DESC, w.id DESC LIMIT ?"
        with self._reading() as db:
            found = db.execute(keys, (*values, *further[1], limit + 1)).fetchall()
            rows = [self._item(db, id) for _, id in found[:limit]]
            total = -1
            if count and not after and len(found) <= limit:
                total = len(found)  # all were looked at
            elif count:
                some = f"SELECT 1 FROM words w WHERE {where} LIMIT {MOST_COUNTED + 1}"
                total = db.execute(f"SELECT count(*) FROM ({some})", values).fetchone()[0]
        following = f"{found[limit - 1][0]} {found[limit - 1][1]}" if len(found) > limit else ""
        return Found(tuple(row for row in rows if row), following, total)

    def find(self, id: str) -> Item | None:
        """The item with an id; None where there is none."""
        with self._reading() as db:
            return self._item(db, id)

    def sized(self, size: int) -> tuple[str, ...]:
        """The ids of items of so many bytes, the newest first."""
        with self._reading() as db:
            asked = "SELECT id FROM items WHERE size = ? ORDER BY at DESC LIMIT 1000"
            return tuple(id for (id,) in db.execute(asked, (size,)).fetchall())

    def models(self) -> tuple[tuple[str, str, int], ...]:
        """(id, title, how many items) of each model, the busiest first."""
        asked = (
            "SELECT model, max(model_title), count(*) FROM items WHERE model <> '' GROUP BY model ORDER BY 3 DESC, 1"
        )
        with self._reading() as db:
            return tuple(db.execute(asked).fetchall())

    def tasks(self) -> dict[str, int]:
        """Task -> how many items."""
        with self._reading() as db:
            return dict(db.execute("SELECT task, count(*) FROM items GROUP BY task").fetchall())

    def labels(self) -> tuple[dict[str, int], dict[str, int]]:
        """Tags and collections of what is here -> how many items."""
        tags: dict[str, int] = {}
        collections: dict[str, int] = {}
        with self._reading() as db:
            for told, gathered in db.execute("SELECT tags, collections FROM marks m JOIN items i ON i.id = m.id"):
                for names, counts in ((told, tags), (gathered, collections)):
                    for name in json.loads(names):
                        counts[name] = counts.get(name, 0) + 1
        return dict(sorted(tags.items())), dict(sorted(collections.items()))

    def dump(self) -> list[tuple[object, ...]]:
        """Every row as it stands, in order: two indexes of the same files say the same."""
        with self._reading() as db:
            tables = {"items": "id", "words": "at, id", "stars": "id", "marks": "id"}
            return [
                (table, *row)
                for table, order in tables.items()
                for row in db.execute(f"SELECT * FROM {table} ORDER BY {order}")
            ]

    # ---- what the archive keeps here

    def put(self, rows: Iterable[tuple[str, Item]]) -> None:
        """Add items, each with the folder that its file lies in, or replace them."""
        with self._writing() as db:
            for folder, item in rows:
                self._forget(db, item.id)
                db.execute(
                    "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (item.id, folder, item.task, item.kind, item.at, item.title, item.model, item.model_title,
                     item.size, item.stamp, item.foreign),
                )  # fmt: skip
                db.execute("INSERT INTO words VALUES (?, ?, ?, ?, ?)",
                           (item.at, item.id, item.task, item.model, item.words))  # fmt: skip

    def forget(self, ids: Iterable[str]) -> None:
        """Remove items; what they were marked with stays known."""
        with self._writing() as db:
            for id in ids:
                self._forget(db, id)

    def stamps(self, folder: str) -> dict[str, str]:
        """Id -> stamp of the items whose files lie in a folder, those in folders of its own left out."""
        with self._reading() as db:
            return dict(db.execute("SELECT id, stamp FROM items WHERE folder = ?", (folder,)).fetchall())

    def folders(self) -> dict[str, tuple[str, str]]:
        """Path -> (parent, stamp) of the folders that were read."""
        with self._reading() as db:
            return {path: (parent, stamp) for path, parent, stamp in db.execute("SELECT * FROM folders")}

    def read(self, folder: str, parent: str, stamp: str) -> None:
        """Remember that a folder was read as it is."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", (folder, parent, stamp))

    def lose(self, folder: str) -> None:
        """A folder is gone, with all that was in it."""
        with self._writing() as db:
            for (path,) in db.execute("SELECT path FROM folders WHERE parent = ?", (folder,)).fetchall():
                self.lose(path)
            for (id,) in db.execute("SELECT id FROM items WHERE folder = ?", (folder,)).fetchall():
                self._forget(db, id)
            db.execute("DELETE FROM folders WHERE path = ?", (folder,))

    def state(self, name: str) -> str:
        """What was remembered under a name; empty where nothing was."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
            return row[0] if row else ""

    def mark(self, marks: Mapping[str, Mark], state: tuple[str, str], *, anew: bool = False) -> None:
        """Take over what items were marked with, and remember `state` (name, value) with it.

        Args:
            anew: all that was known before is void.
        """
        with self._writing() as db:
            if anew:
                db.execute("DELETE FROM marks")
            for id, mark in marks.items():
                if not mark:
                    db.execute("DELETE FROM marks WHERE id = ?", (id,))
                    continue
                text = folded("\n".join((*mark.tags, mark.note, *mark.collections)))
                db.execute(
                    "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?)",
                    (id, _list(mark.tags), mark.note, _list(mark.collections), text),
                )
            db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", state)

    def star(self, ids: Iterable[str], state: tuple[str, str]) -> None:
        """These items have a star and no others."""
        with self._writing() as db:
            db.execute("DELETE FROM stars")
            db.executemany("INSERT INTO stars VALUES (?)", [(id,) for id in ids])
            db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", state)

    def clear(self) -> None:
        """Begin anew, with nothing in it."""
        with self._writing() as db:
            for table in ("items", "words", "stars", "marks", "folders", "state"):
                db.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        """Let go of the file; it is opened again when it is wanted."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # ---- inside

    @staticmethod
    def _item(db: sqlite3.Connection, id: str) -> Item | None:
        row = db.execute(_ROW + "WHERE i.id = ?", (id,)).fetchone()
        if row is None:
            return None
        *told, imported, star, tags, note, collections = row
        item = Item(*told, foreign=bool(imported), star=star is not None)
        if tags is None:
            return item
        return replace(item, tags=tuple(json.loads(tags)), note=note, collections=tuple(json.loads(collections)))

    @staticmethod
    def _forget(db: sqlite3.Connection, id: str) -> None:
        for (at,) in db.execute("SELECT at FROM items WHERE id = ?", (id,)).fetchall():
            db.execute("DELETE FROM words WHERE at = ? AND id = ?", (at, id))
        db.execute("DELETE FROM items WHERE id = ?", (id,))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._told():
            yield self._opened()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; one inside another is a part of it."""
        with self._lock, self._told():
            db = self._opened()
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the file as people hear of them; one that is damaged is begun anew at the next question."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StudioError("library_busy", reason=str(error)) from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise
            _log.warning("The library's index is damaged (%s) and is made again.", error)
            self.close()
            self._remove()
            raise StudioError("library_damaged") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = self._open()
        except OSError as error:
            raise StudioError("cannot_write", path=str(self._file), reason=error.strerror or str(error)) from error
        return self._connection

    def _open(self) -> sqlite3.Connection:
        for attempt in (1, 2):
            db = sqlite3.connect(self._file, timeout=5.0, isolation_level=None, check_same_thread=False)
            try:
                db.execute("PRAGMA journal_mode = WAL")  # where a file system has none, it stays as it was
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("PRAGMA cache_size = -32000")
                db.execute("PRAGMA mmap_size = 268435456")
                db.execute("PRAGMA case_sensitive_like = ON")  # both sides are folded, and this is quicker
                found = db.execute("PRAGMA user_version").fetchone()[0]
                if found == VERSION:
                    return db
                db.execute("BEGIN IMMEDIATE")  # of two processes one makes the tables
                if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                        db.execute(f'DROP TABLE "{name}"')
                    for statement in _TABLES.split(";\n"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {VERSION}")
                db.execute("COMMIT")
                return db
            except sqlite3.OperationalError:
                db.close()
                raise
            except sqlite3.DatabaseError:
                db.close()
                if attempt == 2:
                    raise
                self._remove()
        raise AssertionError

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                self._file.with_name(self._file.name + ending).unlink(missing_ok=True)


def _conditions(query: Query) -> tuple[str, tuple[object, ...]]:
    """The WHERE of a query over `words` w, and its values."""
    parts: list[str] = ["1"]
    values: list[object] = []
    for word in folded(query.text[:MAX_QUERY]).split():
        pattern = f"%{_literal(word)}%"
        parts.append("(w.text LIKE ? ESCAPE '\\' OR w.id IN (SELECT id FROM marks WHERE text LIKE ? ESCAPE '\\'))")
        values += [pattern, pattern]
    if query.tasks:
        parts.append(f"w.task IN ({', '.join('?' * len(query.tasks))})")
        values += query.tasks
    if query.model:
        parts.append("w.model = ?")
        values.append(query.model)
    for column, wanted in (("tags", query.tag), ("collections", query.collection)):
        if wanted:
            parts.append(f"w.id IN (SELECT m.id FROM marks m, json_each(m.{column}) e WHERE e.value = ?)")
            values.append(wanted)
    if query.starred:
        parts.append("w.id IN (SELECT id FROM stars)")
    if query.since:
        parts.append("w.at >= ?")
        values.append(query.since)
    if query.until:
        parts.append("w.at < ?")
        values.append(query.until)
    return " AND ".join(parts), tuple(values)


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _list(names: Sequence[str]) -> str:
    return json.dumps(names, ensure_ascii=False)
