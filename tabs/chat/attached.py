"""Files at a message: chosen, dropped or pasted at the field, read when it is sent, and drawn with it."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.library.chats import Chats
from studio.media import pdf
from studio.request_parts import Attachment
from studio.results import Note
from studio.tasks.bounds import MAX_IMAGE_BYTES
from studio.tasks.chat.attachments import read_attachment
from studio.tasks.chat.conversation import Chat, Entry
from tabs.shared import uploaded
from tabs.shared.context import Page
from tabs.shared.i18n import t

SIDE = 480
"""Pixels of a picture in the talk."""
SHOWN = 4000
"""Letters of a text that are shown there."""
LOOKED = 1_000_000
"""Bytes of a file up to which it is read while somebody types."""


def field() -> gr.File:
    """What is attached to the message that is being written; assets/page/chat.js gives it files."""
    t("chat.pasted")  # the page's script names a file by it
    return gr.File(
        file_count="multiple", label=t("label.chat_files"), elem_id="chat-files", render=False,
        elem_classes="a-attached", height=120,
    )  # fmt: skip


def read(files: Any, public: bool) -> tuple[tuple[Attachment, ...], tuple[Note, ...]]:
    """What a page has attached, and what is to be known of it.

    Raises:
        StudioError: as `read_attachment`, and not_uploaded.
    """
    told = list[Note]()
    found = tuple(
        read_attachment(_called(file), uploaded.read_upload(file, MAX_IMAGE_BYTES), public, told.append)
        for file in listed(files)
    )
    return found, tuple(told)


def read_texts(files: Any, public: bool) -> tuple[tuple[Attachment, ...], int]:
    """(the small texts among them, how many others there are), for a number that is wanted while somebody types."""
    found, others = list[Attachment](), 0
    for file in listed(files):
        try:
            data = uploaded.read_upload(file, LOOKED)
            one = None if public and pdf.is_pdf(data) else read_attachment(_called(file), data, public)
        except StudioError:
            one = None
        if one is None or one.picture:
            others += 1
        else:
            found.append(one)
    return tuple(found), others


def back(page: Page, store: Chats, chat: Chat, files: Iterable[Attachment]) -> list[str]:
    """Files of a message that was taken away, for the field."""
    kept = ((one, store.attachment(chat.id, one)) for one in files)
    return [page.offer(data, one.name or "file") for one, data in kept if data]


def drawer(page: Page, store: Chats, chat: Chat, spoken: str) -> Callable[[Entry], str]:
    """What draws the files of a message of a conversation."""

    def picture(one: Attachment) -> str:
        place = store.place(chat.id, one)
        if not place.is_file():
            return _chip(one, text("chat.file_gone", spoken))
        address = html.escape(uploaded.address(page.thumbnails.of(place, SIDE)), quote=True)
        return f'<img class="a-shown" src="{address}" alt="{html.escape(one.name, quote=True)}" loading="lazy">'

    def letters(one: Attachment) -> str:
        said = store.attachment(chat.id, one).decode("utf-8", "replace")
        if not said:
            return _chip(one, text("chat.file_gone", spoken))
        more = " …" if len(said) > SHOWN else ""
        body = html.escape(said[:SHOWN])
        return f'<details class="a-file"><summary>{_chip(one)}</summary><pre>{body}{more}</pre></details>'

    def draw(entry: Entry) -> str:
        drawn = "".join(picture(one) if one.picture else letters(one) for one in entry.files)
        return f'<div class="a-files">{drawn}</div>' if drawn else ""

    return draw


def instead(error: StudioError, spoken: str) -> str:
    """A button for the model that an error names in the place of another; nothing where it names none."""
    if error.code != "cannot_see":
        return ""
    said = html.escape(text("offer.other", spoken, model=str(error.params["other"])))
    model = html.escape(str(error.params["id"]), quote=True)
    return f'<div class="a-offers"><button type="button" class="a-offer" data-choose="{model}">{said}</button></div>'


def _chip(one: Attachment, why: str = "") -> str:
    size = f"{one.size / 1000:.0f} kB" if one.size >= 1000 else f"{one.size} B"
    return f'<span class="a-chip">{html.escape(" · ".join(filter(None, (one.name, size, why))))}</span>'


def listed(files: Any) -> list[Any]:
    """What a field for several files sends; a program may send one alone."""
    return files if isinstance(files, list) else [files] if files else []


def _called(file: Any) -> str:
    named = file.get("orig_name") or file.get("path") if isinstance(file, dict) else file
    return named if isinstance(named, str) else ""
