"""Remarks on a picture that was asked for: what the model left out, and why it looks as it does."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

from studio.catalog.card import Card
from studio.engines.image import areas, prompt_chunks, token_count
from studio.engines.image.img2img import Family
from studio.engines.image.prompt_embeds import takes_weights
from studio.requests import ImageRequest
from studio.results import Note
from studio.tasks.image import prompt_schedule
from studio.tasks.image.prompt_weights import weighted


def fitted(request: ImageRequest, family: Family) -> tuple[ImageRequest, list[Note]]:
    """The request with words, a scheduler and steps that there are here, and what was left out for that."""
    notes: list[Note] = []
    count, asked = len(request.prompts), (request.prompt, request.negative_prompt, *request.prompts)
    texts = [prompt_schedule.without_tags(text) for text in (*asked, *(one.prompt for one in request.regions))]
    if tags := dict.fromkeys(tag for _, found in texts for tag in found):
        notes.append(("no_tags", {"names": ", ".join(tags)[:400]}))
        prompt, negative, *prompts = (text for text, _ in texts)
        words = zip(request.regions, prompts[count:], strict=True)
        request = replace(
            request, prompt=prompt, negative_prompt=negative, prompts=tuple(prompts[:count]),
            regions=tuple(replace(one, prompt=text) for one, text in words),
        )  # fmt: skip
    if not family.knows(request.scheduler):
        notes.append(("own_scheduler", {"name": request.scheduler}))
        request = replace(request, scheduler="")
    most = family.most_steps(request.scheduler)
    if most and (steps := request.steps or 1) > most:
        notes.append(("fewer_steps", {"count": most, "wanted": steps}))
        request = replace(request, steps=most)
    return request, notes


def run_notes(request: ImageRequest, card: Card, family: Family, twice: bool, relatives: bool) -> list[Note]:
    """The notes of a run, with their parameters.

    Args:
        twice: it paints small and then larger.
        relatives: its noise is varied.
    """
    member, pipe = family.member(over=False), family.pipe
    guidance = request.guidance_scale or 0
    guided = "guidance_scale" not in member.accepts or guidance > 1
    prompts = request.prompts or (request.prompt,)
    weighs = any(weighted(prompt_schedule.timetable(text, 1)[0]) for text in (*prompts, request.negative_prompt))
    over = family.member(over=True) if request.image else None
    said = {
        "no_negative": request.negative_prompt and not (guided and "negative_prompt" in member.accepts),
        "no_guidance": guidance > 1 and getattr(pipe.config, "is_distilled", False),
        "no_weights": weighs and not takes_weights(pipe, member.accepts),
        "no_variation": request.variation and not relatives,
        "no_clip_skip": request.clip_skip and "clip_skip" not in member.accepts,
        "no_strength": over is not None and "strength" not in over.accepts,
        "no_hires": request.hires_scale > 1 and not twice,
    }
    notes: list[Note] = [(name, {}) for name, wanted in said.items() if wanted]
    prompts = (*prompts, *(one.prompt for one in request.regions))
    if any(
        len(prompt_schedule.joined(text)) > 1 and len(areas.prompts(text, member, guidance)) == 1 for text in prompts
    ):
        notes.append(("no_and", {}))
    return notes + _of_words(pipe, card, prompts, request.negative_prompt if guided else "", member.accepts)


def _of_words(pipe: Any, card: Card, prompts: Sequence[str], negative: str, accepts: Container[str]) -> list[Note]:
    """What of the words is not read as other programs read it."""
    texts = (*prompts, negative)
    notes: list[Note] = []
    if any(map(prompt_schedule.edited, texts)) and not takes_weights(pipe, accepts):
        notes.append(("no_editing", {}))
    if prompt_chunks.reads(pipe):
        return notes
    if any(map(prompt_schedule.BREAK.search, texts)):
        notes.append(("no_break", {}))
    if excess := max(_excess(pipe, card, prompt) for prompt in prompts):
        notes.append(("prompt_cut", {"count": excess}))
    if negative and "negative_prompt" in accepts and (excess := _excess(pipe, card, negative)):
        notes.append(("negative_cut", {"count": excess}))
    return notes


def _excess(pipe: Any, card: Card, prompt: str) -> int:
    """Tokens of the prompt that the model will not see."""
    tokenizer = getattr(pipe, "tokenizer_3", None) or getattr(pipe, "tokenizer", None)
    return 0 if tokenizer is None else token_count.excess(tokenizer, card, type(pipe).__name__, prompt)
