"""Names by which people call models: a repository, an address of a page, a path; and what such a model is.

Nothing is fetched but lists, small files and headers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from studio.catalog.card import Part
from studio.errors import StudioError
from studio.requests import Task
from studio.store.disk import hub_look, look
from studio.store.disk.cards import defaults
from studio.store.disk.hub_look import Listing
from studio.store.disk.look import Found
from studio.store.disk.parts import complete
from studio.store.disk.places import Place
from studio.store.disk.weights import Weights

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_HUBS = ("huggingface.co", "hf.co", "hf-mirror.com")
_SCOPES = ("modelscope.cn", "modelscope.ai")
_QUANT = re.compile(r"(?<![A-Za-z0-9])((?:UD-)?I?Q\d[\w]*|MXFP4\w*|BF16|F16|F32)(?![A-Za-z0-9])", re.I)
_SHARD = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)", re.I)
_LICENCES = {
    "apache-2.0": ("Apache-2.0", True), "mit": ("MIT", True), "bsd-3-clause": ("BSD-3-Clause", True),
    "cc-by-nc-4.0": ("CC-BY-NC-4.0", False), "cc-by-4.0": ("CC-BY-4.0", True),
}  # fmt: skip
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---", re.S)


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
    commercial: bool | None = None
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
    if host in _HUBS and len(steps) >= 2 and _REPO.fullmatch("/".join(steps[:2])):
        file = "/".join(steps[4:]) if len(steps) > 4 and steps[2] in ("blob", "resolve") else ""
        return Reference("hub", repo="/".join(steps[:2]), file=file, site=host)
    if host in _SCOPES and len(steps) >= 3 and steps[0] == "models" and _REPO.fullmatch("/".join(steps[1:3])):
        # the same repositories stand there under the same names; which of the two fetches them is no matter of a name
        return Reference("hub", repo="/".join(steps[1:3]), site=host)
    if ("." in host and steps and "://" in said) or host.endswith(("civitai.com", "liblib.art")):
        raise StudioError("site_not_read", site=host)
    raise StudioError("unknown_name", name=said[:80])


def of_repository(where: Reference) -> Named:
    """What a repository holds, and what of it the studio would use.

    Raises:
        StudioError: the hub's own; custom_code, no_safe_weights, unknown_architecture, no_choice.
    """
    found = hub_look.listing(where.repo)
    told = _front_matter(hub_look.small(found, "README.md").decode("utf-8", "replace"))
    licence, commercial = _LICENCES.get(
        told.get("license", ""), (told.get("license_name") or told.get("license", ""), None)
    )
    known = Named(
        where.repo.rpartition("/")[2], (), "", "", where, {}, licence=licence,
        licence_url=hub_look.page(where.repo) if licence else "", commercial=commercial,
    )  # fmt: skip
    if where.file:
        return _one_file(known, found, where.file)
    packed = [name for name in found.sizes if name.lower().endswith(".gguf") and "mmproj" not in name.lower()]
    if "model_index.json" in found.sizes:
        return _pipeline(known, found)
    if packed and not any("/" not in name and name.endswith(".safetensors") for name in found.sizes):
        return _quantised(known, found, packed, told)
    if "config.json" in found.sizes and any(name.endswith(".safetensors") for name in found.sizes):
        return _model(known, found)
    return _single(known, found)


def _pipeline(known: Named, found: Listing) -> Named:
    index = _json(hub_look.small(found, "model_index.json"))
    name = str(index.get("_class_name", ""))
    if name not in look.PIPELINES:
        raise StudioError("unknown_architecture", model=known.title, name=name or "?")
    files = _usual(found)
    if not any(one.endswith(".safetensors") for one in files):
        raise StudioError("no_safe_weights", model=known.title)
    family = look.PIPELINES[name]
    fields = {"defaults": defaults(Found(Path(known.title), Weights("checkpoint", family)))}
    return replace(known, tasks=("image",), engine="diffusion", family=family, files=files, fields=fields)


def _model(known: Named, found: Listing) -> Named:
    config = _json(hub_look.small(found, "config.json"))
    stated = config.get("architectures")
    architecture = str(stated[0]) if isinstance(stated, list) and stated else ""
    if config.get("auto_map"):
        raise StudioError("custom_code", model=known.title, file="config.json")
    tasks, engine = look.of_architecture(architecture)
    if not tasks:
        raise StudioError("unknown_architecture", model=known.title, name=architecture or "?")
    return replace(known, tasks=tasks, engine=engine, family=architecture, files=_usual(found))


def _quantised(known: Named, found: Listing, names: list[str], told: Mapping[str, str]) -> Named:
    """A repository of GGUF files: each quantisation is a choice."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(_SHARD.sub("", name), []).append(name)
    choices = []
    for whole, files in groups.items():
        matches = _QUANT.findall(PurePosixPath(whole).name)
        label = matches[-1].upper() if matches else PurePosixPath(whole).stem
        choices.append(Choice(label, tuple(files), sum(found.sizes[file] for file in files)))
    labels = [one.name for one in choices]
    choices = [
        one if labels.count(one.name) == 1 else replace(one, name=PurePosixPath(one.files[0]).stem) for one in choices
    ]
    choices.sort(key=lambda one: one.nbytes)
    painter = told.get("pipeline_tag", "").startswith(("text-to-image", "image-to-image"))
    coder = re.search(r"coder|codestral|starcoder|mellum|next-edit", known.title, re.I) is not None
    tasks: tuple[Task, ...] = ("image",) if painter else ("chat", "code") if coder else ("chat",)
    whole = replace(
        known, tasks=tasks, engine="diffusion" if painter else "llama", family="GGUF", choices=tuple(choices),
        by_file=True,
    )  # fmt: skip
    if known.where.quant:
        whole = whole.chosen(known.where.quant)
    elif len(choices) == 1:
        whole = whole.chosen(choices[0].name)
    if painter and whole.files:
        return _one_file(known, found, next(iter(whole.files)))
    return whole


def _single(known: Named, found: Listing) -> Named:
    """A repository of checkpoints of one file each."""
    files = [name for name in found.sizes if name.endswith(".safetensors") and "/" not in name]
    if not files:
        raise StudioError("no_safe_weights", model=known.title)
    if len(files) == 1:
        return _one_file(known, found, files[0])
    choices = tuple(Choice(PurePosixPath(name).stem, (name,), found.sizes[name]) for name in sorted(files))
    return replace(known, tasks=("image",), engine="diffusion", choices=choices, by_file=True)


def _one_file(known: Named, found: Listing, name: str) -> Named:
    if name not in found.sizes:
        raise StudioError("no_choice", name=name[:60], names=", ".join(sorted(found.sizes)[:8]))
    what = hub_look.weights(found, name)
    if name.lower().endswith(".gguf") and what.kind == "language":
        return _quantised(replace(known, where=replace(known.where, quant=name)), found, [name], {})
    one = look.of_weights(Path(PurePosixPath(name).name), what)
    return _checked(replace(known, files={name: found.sizes[name]}, by_file=True), one)


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
    return _checked(known, one, (*near, *others))


def _checked(known: Named, one: Found, others: tuple[Found, ...] = ()) -> Named:
    """With what a file or folder is; a StudioError where it cannot be used."""
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
    return replace(
        known, tasks=one.tasks, engine=one.engine, family=one.weights.family, title=known.title or one.title,
        fields=more, parts=done.parts,
    )  # fmt: skip


def _usual(found: Listing) -> dict[str, int]:
    """What a download takes of a repository where nobody names files."""
    return hub_look.usual(found)


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
        return found if isinstance(found, dict) else {}
    except (ValueError, RecursionError):
        return {}


def _front_matter(text: str) -> dict[str, str]:
    """The plain lines at the head of a model's page: its licence, its task."""
    match = _FRONT.match(text.lstrip("\ufeff"))
    lines = match[1].splitlines() if match else []
    pairs = (line.partition(":") for line in lines if re.match(r"[a-z_]+:\s*\S", line))
    return {key.strip(): value.strip().strip("'\"") for key, _, value in pairs}
