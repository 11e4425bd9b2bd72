"""Running a request on a loaded model; a conversation that outgrew the model is cut to what it reads."""

from __future__ import annotations

from dataclasses import replace

from studio.engines.base import Loaded
from studio.errors import StudioError
from studio.jobs import Job, RunContext
from studio.types import ChatRequest, Output


def compute(model: Loaded, job: Job) -> Output:
    """Run the request. A conversation that outgrew the model loses its oldest turns, and a note says so."""
    request, cut = job.request, 0
    context = RunContext(job)
    while True:
        try:
            output = model.run(request, context)
        except StudioError as error:
            if error.code != "context_full" or not isinstance(request, ChatRequest) or len(request.messages) < 3:
                raise
            shorter = request.messages[2:] if request.messages[0].role == "user" else request.messages[1:]
            request, cut = replace(request, messages=shorter), cut + 1
            continue
        return replace(output, notes=(*output.notes, ("history_cut", {"count": cut}))) if cut else output
