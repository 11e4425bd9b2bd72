"""What the chat takes up of the library: a picture, at the message that is being written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import StudioError
from tabs.chat import attached
from tabs.chat.talk import TASK, Talk
from tabs.shared import job_progress, uploaded
from tabs.shared.taking import Taken, Taker


def register(talk: Talk) -> None:
    """Name it to the library."""
    page, files, model, said = talk.page, talk.chats.files, talk.picker.list, talk.progress

    def picture(taken: Taken, spoken: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
        held = [str(path) for one in attached.listed(values[files]) if (path := uploaded.path(one))]
        changes: dict[Any, Any] = {files: [*held, page.publish(taken.file)], said: ""}
        try:
            page.studio.require_sight(str(values[model] or ""))
        except StudioError as error:  # it stands there, and a model that sees is offered
            changes[said] = job_progress.failure(error, spoken) + attached.instead(error, spoken)
        return changes

    page.takers.append(Taker("chat.picture", TASK, ("picture",), picture, (files, said), (files, model)))
