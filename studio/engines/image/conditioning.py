"""Conditioning: what a pipeline is told of a prompt, at first and at the steps where the prompt changes.

Prompts that fit into one chunk and stay as they are go the way of studio.engines.image.prompt_embeds, so that they are
read as the bare library reads them. The others become embeddings here: chunk by chunk, every prompt of a run padded
with empty chunks to as many as the longest has.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.engines.image import prompt_chunks, prompt_embeds
from studio.engines.image.embeddings import Embeddings
from studio.tasks.image import prompt_schedule
from studio.tasks.image.prompt_weights import plain

Tensors = Mapping[str, Any]
NONE = Embeddings()


@dataclass(frozen=True, slots=True)
class Conditioning:
    """Arguments of a pipeline's call, and what its loop goes on with.

    Attributes:
        later: tensors of the pipeline's loop by the step, from 0, before which they take the place of those there.
    """

    arguments: Tensors
    later: Mapping[int, Tensors] = field(default_factory=dict)

    def watched(self, tensors: tuple[str, ...]) -> Tensors:
        """What the call has to be told so that the loop hands over what is replaced."""
        names = sorted({name for each in self.later.values() for name in each})
        return {"callback_on_step_end_tensor_inputs": [*tensors, *names]} if names else {}

    def before(self, done: int, steps: int, planned: int) -> Tensors:
        """What takes the place of the loop's tensors when `done` of `steps` steps are done.

        Schedulers may take more steps than were planned: the timetable is stretched over them.
        """
        last = [(step - 1) * planned // max(steps, 1) for step in (done, done + 1)]
        found: dict[str, Any] = {}
        for step in range(last[0] + 1, last[1] + 1):
            found |= self.later.get(step, {})
        return found


def condition(
    pipe: Any,
    accepts: Container[str],
    prompt: str,
    negative: str,
    guidance: float,
    skip: int,
    steps: int,
    begun: int,
    embeddings: Embeddings = NONE,
    behind: int = 0,
) -> Conditioning:
    """How `pipe` is told of a prompt and a negative prompt.

    Args:
        skip: layers of the text encoder that are left out.
        steps: of this pass, as far as one can tell before. begun: passes that lie behind.
        embeddings: those that the prompts may name; only for pipelines that read in chunks.
        behind: steps that another pipeline has painted before this one begins.
    """
    every = [prompt_schedule.timetable(text, steps, begun) for text in (prompt, negative)]
    every = [texts[behind:] or texts[-1:] for texts in every]
    chunked = prompt_chunks.reads(pipe)
    if not chunked:
        every = [tuple(prompt_schedule.BREAK.sub(" ", text).strip() for text in texts) for texts in every]
    if not prompt_embeds.takes_weights(pipe, accepts):  # it reads one prompt for all steps
        return Conditioning(prompt_embeds.prompt_arguments(pipe, accepts, every[0][0], every[1][0], guidance, skip))
    pairs = list(zip(*every, strict=True))
    long = chunked and any(
        _count(pipe, text, embeddings) > 1 or embeddings.named(text) for texts in every for text in set(texts)
    )
    if len(set(pairs)) == 1 and not long:
        first = [
            prompt_schedule.BREAK.sub(" ", text) if prompt_schedule.BREAK.search(text) else text for text in pairs[0]
        ]
        return Conditioning(prompt_embeds.prompt_arguments(pipe, accepts, first[0], first[1], guidance, skip))
    guided = guides(pipe, guidance) and "negative_prompt_embeds" in accepts
    encoded = _reader(pipe, accepts, {text for texts in every for text in texts}, skip, embeddings)

    def negated(text: str, like: tuple[Any, Any]) -> tuple[Any, Any]:
        import torch

        if not text and getattr(pipe.config, "force_zeros_for_empty_prompt", False):
            return torch.zeros_like(like[0]), None if like[1] is None else torch.zeros_like(like[1])
        return encoded(text)

    return _assembled(pairs, encoded, negated if guided else None)


def guides(pipe: Any, guidance: float) -> bool:
    """Whether a pipeline with a UNet asks it twice at each step, with the negative prompt first."""
    return guidance > 1 and pipe.unet.config.time_cond_proj_dim is None


def read(
    pipe: Any, accepts: Container[str], prompt: str, skip: int, steps: int, begun: int, embeddings: Embeddings = NONE
) -> Mapping[int, tuple[Any, Any]]:
    """What the readers of a pipeline with a UNet say of a prompt beside the one that it is given.

    By the step, from 0, from which it counts: embeddings (1, tokens, width), and pooled ones (1, width) or None.
    Takes what `condition` takes.
    """
    texts = prompt_schedule.timetable(prompt, steps, begun)
    if not prompt_chunks.reads(pipe):
        texts = tuple(prompt_schedule.BREAK.sub(" ", text).strip() for text in texts)
    encoded = _reader(pipe, accepts, set(texts), skip, embeddings)
    return {
        step: encoded(text) for step, text in enumerate(texts) if step == 0 or text != texts[step - 1]
    }  # fmt: skip


def _reader(
    pipe: Any, accepts: Container[str], texts: set[str], skip: int, embeddings: Embeddings
) -> Callable[[str], tuple[Any, Any]]:
    """A function that has each of these texts read once, all as long as the longest of them."""
    chunked = prompt_chunks.reads(pipe)
    left_out = prompt_embeds.skipped(pipe, skip) if "clip_skip" in accepts else 0
    count = max(_count(pipe, text, embeddings) for text in texts) if chunked else 1
    known: dict[str, tuple[Any, Any]] = {}

    def encoded(text: str) -> tuple[Any, Any]:
        if text not in known:
            known[text] = (
                _by_chunks(pipe, text, left_out, count, embeddings)
                if chunked
                else _at_once(pipe, accepts, text, left_out)
            )
        return known[text]

    return encoded


def _assembled(
    pairs: list[tuple[str, str]],
    encoded: Callable[[str], tuple[Any, Any]],
    negated: Callable[[str, tuple[Any, Any]], tuple[Any, Any]] | None,
) -> Conditioning:
    import torch

    arguments: dict[str, Any] = {}
    later: dict[int, dict[str, Any]] = {}
    for step, pair in enumerate(pairs):
        if step and pair == pairs[step - 1]:
            continue
        found = [encoded(pair[0])]
        if negated is not None:
            found.insert(0, negated(pair[1], found[0]))
        if step == 0:
            names = ("negative_prompt_embeds", "prompt_embeds")[-len(found) :]
            pooled = ("negative_pooled_prompt_embeds", "pooled_prompt_embeds")[-len(found) :]
            arguments |= {name: value for name, (value, _) in zip(names, found, strict=True)}
            arguments |= {name: value for name, (_, value) in zip(pooled, found, strict=True) if value is not None}
            continue
        later[step] = {"prompt_embeds": torch.cat([value for value, _ in found])}
        if found[0][1] is not None:
            later[step]["add_text_embeds"] = torch.cat([value for _, value in found])
    return Conditioning(arguments, later)


def _encoders(pipe: Any) -> list[tuple[Any, Any]]:
    pairs = [(pipe.tokenizer, pipe.text_encoder)]
    if getattr(pipe, "text_encoder_2", None) is not None:
        pairs.append((pipe.tokenizer_2, pipe.text_encoder_2))
    return [(tokenizer, encoder) for tokenizer, encoder in pairs if encoder is not None]


def _count(pipe: Any, text: str, embeddings: Embeddings) -> int:
    return max(len(prompt_chunks.split(tokenizer, text, embeddings.sizes)) for tokenizer, _ in _encoders(pipe))


def _at_once(pipe: Any, accepts: Container[str], text: str, skip: int) -> tuple[Any, Any]:
    """By a reader that takes all of a text or nothing: its embeddings, and the pooled ones where there are some."""
    found = prompt_embeds.embeddings(pipe, accepts, {"prompt": plain(text)}, text, "", 0.0, skip)
    return found["prompt_embeds"], found.get("pooled_prompt_embeds")


def _by_chunks(pipe: Any, text: str, skip: int, count: int, embeddings: Embeddings) -> tuple[Any, Any]:
    """The same chunk by chunk; pooled is the first chunk's, as everywhere in the field."""
    import torch

    double = getattr(pipe, "text_encoder_2", None) is not None
    parts, pooled = [], None
    for place, (tokenizer, encoder) in enumerate(_encoders(pipe)):
        split = prompt_chunks.split(tokenizer, text, embeddings.sizes)
        chunks = [prompt_chunks.whole(tokenizer, tokens) for tokens in split]
        chunks += [prompt_chunks.whole(tokenizer, [])] * (count - len(chunks))
        states = []
        for number, chunk in enumerate(chunks):
            ids = torch.tensor([chunk.ids], device=pipe._execution_device)
            with embeddings.put(encoder, place, chunk):
                read = encoder(ids, output_hidden_states=True)
            if number == 0 and read[0].ndim == 2:
                pooled = read[0]
            state = read.hidden_states[-(skip + 2)] if double else _state(encoder, read, skip)
            states.append(prompt_embeds.scaled(state, chunk.weights))
        parts.append(torch.cat(states, dim=1))
    width = parts[0].dtype if len({part.dtype for part in parts}) == 1 else parts[-1].dtype
    return torch.cat([part.to(width) for part in parts], dim=-1), pooled


def _state(encoder: Any, read: Any, skip: int) -> Any:
    return prompt_embeds.normed(encoder, read.hidden_states[-(skip + 1)]) if skip else read.last_hidden_state
