"""Names by which people call models: a repository, an address of a page, a path; and what such a model is.

Nothing is fetched but lists, small files and headers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from studio.catalog.card import Commercial, Part
from studio.errors import StudioError
from studio.requests import Task
from studio.store import origin
from studio.store.disk import look
from studio.store.disk.cards import defaults, limits
from studio.store.disk.look import Found
from studio.store.disk.parts import complete
from studio.store.disk.places import Place

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_HUBS = ("huggingface.co", "hf.co", "hf-mirror.com")
_SCOPES = ("modelscope.cn", "modelscope.ai")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a name means.

    Attributes:
        kind: a path of this machine, or a repository.
        repo: owner/name.
        file: the file of the repository that an address is of.
        quant: the quantisation that was named behind a colon.
        site: whose page it was; "" where none was.
    """

    kind: Literal["path", "hub"]
    path: Path = Path()
    repo: str = ""
    file: str = ""
    quant: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several files, or of several in pieces, that a repository offers of the same model."""

    name: str
    files: tuple[str, ...]
    nbytes: int


@dataclass(frozen=True, slots=True)
class Named:
    """A model that was named, and what the studio would do with it.

    Attributes:
        title: what it is called.
        tasks: what it can be asked for. engine: which engine runs it.
        family: what it is of.
        where: the path, or the repository.
        files: name -> bytes of what is used, or would be fetched.
        choices: what there is to choose from; empty where there is one thing.
        licence, licence_url, commercial: as its page says; not known where it does not.
        fields: further fields of its table in models.toml.
        parts: what comes from elsewhere.
        by_file: of its repository exactly these files are meant, not what is usual.
    """

    title: str
    tasks: tuple[Task, ...]
    engine: str
    family: str
    where: Reference
    files: Mapping[str, int]
    choices: tuple[Choice, ...] = ()
    licence: str = ""
    licence_url: str = ""
    commercial: Commercial = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    by_file: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes on the disk, with the parts that are fetched."""
        return sum(self.files.values()) + sum(part.disk_bytes for part in self.parts)

    def chosen(self, name: str) -> Named:
        """With one of its choices. Raises StudioError: no_choice."""
        for one in self.choices:
            if one.name.casefold() == name.casefold() or name in one.files:
                return replace(self, choices=(), files=dict.fromkeys(one.files, 0) | {one.files[0]: one.nbytes})
        raise StudioError("no_choice", name=name[:60], names=", ".join(one.name for one in self.choices) or "–")

    def table(self) -> dict[str, Any]:
        """Its table in models.toml."""
        hub = self.where.kind == "hub"
        table: dict[str, Any] = {
            "title": self.title,
            "tasks": list(self.tasks),
            "engine": self.engine,
            **({"hub": self.where.repo} if hub else {"path": str(self.where.path)}),
            "files": sorted(self.files) if hub and self.by_file else [],
            "licence": self.licence,
            "licence_url": self.licence_url,
            "disk": self.nbytes if hub else 0,
            "memory": int(self.nbytes * 1.1) if hub else 0,
            **self.fields,
            "parts": {part.folder: _part(part) for part in self.parts},
        }
        if self.commercial is not None:
            table["commercial"] = self.commercial
        return {key: value for key, value in table.items() if value not in (0, "", [], {}, None)} | (
            {"commercial": False} if self.commercial is False else {}
        )


def _part(part: Part) -> dict[str, Any]:
    return {
        "hub": part.source.repo, "files": list(part.source.files), "rename": dict(part.rename),
        **({"disk": part.disk_bytes} if part.disk_bytes else {}),
    }  # fmt: skip


def parse(text: str) -> Reference:
    """What a person means by `text`: a path that is there, an address, or owner/name.

    Raises:
        StudioError: site_not_read for a page that the studio cannot fetch from, unknown_name for anything else.
    """
    said = text.strip().strip('"')
    if "\0" not in said and said:
        try:
            path = Path(said).expanduser()
            if path.exists():
                return Reference("path", path.absolute())
        except (OSError, RuntimeError):
            pass
    plain, _, quant = said.partition(":") if "://" not in said else (said, "", "")
    plain = plain.removeprefix("hf.co/").removeprefix("huggingface.co/")
    if _REPO.fullmatch(plain) and ".." not in plain:
        return Reference("hub", repo=plain, quant=quant)
    address = urlsplit(said if "://" in said else f"https://{said}")
    host = (address.hostname or "").removeprefix("www.")
    steps = [unquote(step) for step in address.path.split("/") if step]
    hubs = (*_HUBS, urlsplit(origin.endpoint()).hostname or "")  # a mirror too
    if host in hubs and len(steps) >= 2 and _REPO.fullmatch("/".join(steps[:2])):
        file = "/".join(steps[4:]) if len(steps) > 4 and steps[2] in ("blob", "resolve") else ""
        return Reference("hub", repo="/".join(steps[:2]), file=file, site=host)
    if host in _SCOPES and len(steps) >= 3 and steps[0] == "models" and _REPO.fullmatch("/".join(steps[1:3])):
        # the same repositories stand there under the same names; which of the two fetches them is no matter of a name
        return Reference("hub", repo="/".join(steps[1:3]), site=host)
    if ("." in host and steps and "://" in said) or host.endswith(("civitai.com", "liblib.art")):
        raise StudioError("site_not_read", site=host)
    raise StudioError("unknown_name", name=said[:80])


def of_path(where: Reference, others: tuple[Found, ...]) -> Named:
    """What lies at a path.

    Args:
        others: what else is known on the disk: parts may be among them.

    Raises:
        StudioError: unsafe_file, not_a_model, family_not_run, missing_part; many_models for a folder of several.
    """
    inside = look.look([Place(where.path)], look.Headers())
    usable = [one for one in inside if one.usable]
    if len(usable) > 1:
        raise StudioError("many_models", path=str(where.path), count=len(usable))
    if not inside:
        raise StudioError("not_a_model", file=where.path.name, kind="disk.kind.unknown")
    one = usable[0] if usable else inside[0]
    known = Named(one.title, (), "", "", replace(where, path=one.path), {one.path.name: one.weights.nbytes})
    near = look.look([Place(where.path.parent)], look.Headers()) if where.path.is_file() else ()
    return checked(known, one, (*near, *others))


def checked(known: Named, one: Found, others: tuple[Found, ...] = ()) -> Named:
    """With what a file or folder is.

    Raises:
        StudioError: why it cannot be used.
    """
    if one.reason == "pickle":
        raise StudioError("unsafe_file", file=one.path.name)
    if one.reason == "packed":
        raise StudioError("packed_weights", model=one.title)
    if one.reason == "code":
        raise StudioError("custom_code", model=one.title, file="config.json")
    if one.reason == "family":
        name = " ".join(filter(None, (one.weights.family, one.weights.variant)))
        raise StudioError("family_not_run", model=one.title, family=name)
    if not one.usable:
        kind = one.weights.reason or one.weights.kind
        raise StudioError("not_a_model", file=one.path.name, kind=f"disk.kind.{kind}")
    done = complete(one, others)
    if done.lacking:
        part = {"vae": "vae", "rest": "rest", "t5_words": "tokenizer"}.get(done.lacking[0], "text_encoder")
        raise StudioError("missing_part", model=one.title, part=f"disk.part.{part}")
    image = one.engine == "diffusion"
    more = {"defaults": defaults(one), "options": dict(done.options)} if image else {}
    if one.engine == "upscale_network":
        more = {"limits": limits(one)}
    return replace(
        known, tasks=one.tasks, engine=one.engine, family=one.weights.family, title=known.title or one.title,
        fields=more, parts=done.parts,
    )  # fmt: skip
