"""Prompts filled in: styles, wildcards and adaptations from their folders, put into a request for pictures.

The words themselves are filled in by studio.tasks.image.prompt_template. Nothing here runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from studio.errors import StudioError
from studio.paths import Home
from studio.request_parts import Lora
from studio.requests import ImageRequest
from studio.settings import ROOT
from studio.tasks.bounds import check_many
from studio.tasks.image import embedding_files, lora_files, prompt_template
from studio.tasks.image.limits import FILLED_PROMPT, LORAS
from studio.tasks.image.lora_files import Placed
from studio.tasks.image.wordlists import Wordlists
from studio.tasks.seeds import varied

STYLES, WILDCARDS = ROOT / "assets" / "styles", ROOT / "assets" / "wildcards"


class PromptFiller:
    """Styles, wildcards and adaptations that lie ready. On a public studio only what came with it.

    Args:
        more: adaptations elsewhere.
    """

    def __init__(self, home: Home, more: Callable[[], Iterable[Placed]] = tuple, *, public: bool = False) -> None:
        self._home, self._more, self._public = home, more, public
        self._styles = Wordlists(*([] if public else [home.styles]), STYLES)
        self._wildcards = Wordlists(*([] if public else [home.wildcards]), WILDCARDS)

    def styles(self) -> tuple[str, ...]:
        return self._styles.names()

    def wildcards(self) -> tuple[str, ...]:
        return self._wildcards.names()

    def loras(self) -> tuple[str, ...]:
        """The names of the adaptations in home/loras, and of those that other programs left on the disk."""
        return tuple(self.adaptations())

    def adaptations(self) -> dict[str, Path]:
        """Name -> file of every adaptation, in the order of the alphabet; of two of one name the studio's own."""
        if self._public:
            return {}
        found: dict[str, Path] = {}
        for one in (*lora_files.below(self._home.loras), *self._more()):
            if name := one.name:
                found.setdefault(name, one.file)
        return {name: found[name] for name in sorted(found, key=str.casefold)}

    def fill(self, request: ImageRequest) -> tuple[ImageRequest, ...]:
        """The request with everything filled in, or one a picture where these differ in more than words and seed.

        A plain prompt stays as it is, and a request that brings its prompts is taken at its word. The words of regions
        and details are filled in as well; an adaptation that is named there counts for the whole picture.

        Args:
            request: checked and resolved.

        Raises:
            StudioError: no_style, no_wildcard, wildcard_loop, bad_lora, no_lora, lora_ambiguous, too_long,
                out_of_range, embedding_pickle.
        """
        filled = self._filled(request)
        if not self._public:
            texts = {text for one in filled for text in (one.prompt, *one.prompts, one.negative_prompt)}
            texts |= {part.prompt for one in filled for part in (*one.regions, *one.details)}
            embedding_files.refuse_pickles(sorted(texts), self._home.embeddings)
        return filled

    def _filled(self, request: ImageRequest) -> tuple[ImageRequest, ...]:
        if request.prompts:
            return (self._with_known_loras(request),)
        prompt, negative = request.prompt, request.negative_prompt
        for name in request.styles:
            style = self._style(name)
            prompt, negative = prompt_template.with_style(prompt, style), prompt_template.with_negative(negative, style)
        request = replace(request, negative_prompt=negative)
        painted = [self._drawn(request, prompt, seed) for seed in _seeds(request)]
        known = self.loras() if request.loras or any(one.loras for one in painted) else ()
        found = [_joined(_named(request.loras, known), _named(one.loras, known)) for one in painted]
        words, parts = tuple(one.prompt for one in painted), [(one.regions, one.details) for one in painted]
        if all(loras == found[0] for loras in found) and all(part == parts[0] for part in parts):
            plain = all(text == request.prompt for text in words) and parts[0] == (request.regions, request.details)
            request = replace(request, regions=parts[0][0], details=parts[0][1])
            return (self._with_known_loras(replace(request, prompts=() if plain else words, loras=found[0])),)
        return tuple(
            self._with_known_loras(replace(one, prompts=(one.prompt,), prompt=request.prompt, loras=loras))
            for one, loras in zip(painted, found, strict=True)
        )

    def _drawn(self, request: ImageRequest, prompt: str, seed: int) -> ImageRequest:
        """One picture's words and the adaptations named in them, each part of it drawn from the picture's seed."""
        text, first = prompt_template.take_loras(self._words(prompt, random.Random(seed)))
        loras = list(first)

        def part(kind: str, number: int, own: str) -> str:
            words, named = prompt_template.take_loras(self._words(own, random.Random(f"{seed} {kind} {number}")))
            loras.extend(named)
            return words

        regions = [replace(one, prompt=part("region", at, one.prompt)) for at, one in enumerate(request.regions)]
        details = [replace(one, prompt=part("detail", at, one.prompt)) for at, one in enumerate(request.details)]
        return replace(
            request, prompt=text, seed=seed, count=1, loras=tuple(loras), regions=tuple(regions), details=tuple(details)
        )

    def _words(self, prompt: str, source: random.Random) -> str:
        longest = FILLED_PROMPT.public if self._public else FILLED_PROMPT.high
        return prompt_template.fill(prompt, source, self._lines, longest)

    def _lines(self, name: str) -> tuple[str, ...]:
        lines = prompt_template.read_lines(self._wildcards.text(name) or "")
        if not lines:
            raise StudioError("no_wildcard", name=name, known=self._wildcards.near(name))
        return lines

    def _style(self, name: str) -> prompt_template.Style:
        text = self._styles.text(name)
        if text is None:
            raise StudioError("no_style", name=name, known=self._styles.near(name))
        return prompt_template.read_style(text)

    def _with_known_loras(self, request: ImageRequest) -> ImageRequest:
        if not request.loras:
            return request
        if self._public:
            raise StudioError("not_for_public")
        check_many("loras", len(request.loras), LORAS)
        known = self.loras()
        loras = _joined(_named(request.loras, known), ())
        for lora in loras:
            if lora.name not in known:
                listed = ", ".join(known[:20]) or "–"
                raise StudioError("no_lora", name=lora.name, path=str(self._home.loras), known=listed)
        return replace(request, loras=loras)


def _seeds(request: ImageRequest) -> Iterator[int]:
    """What the words of each picture are drawn by: relatives of one picture are painted from the same words."""
    step = 0 if varied(request) else 1
    return (int(request.seed or 0) + number * step for number in range(request.count))


def _named(loras: Iterable[Lora], known: Collection[str]) -> tuple[Lora, ...]:
    """Adaptations by the names that they have here; what there is none of keeps its own."""
    return tuple(replace(lora, name=lora_files.meant(lora.name, known) or lora.name) for lora in loras)


def _joined(chosen: tuple[Lora, ...], named: tuple[Lora, ...]) -> tuple[Lora, ...]:
    """The adaptations that were chosen and those in the prompt; where both name one, the prompt's weight counts."""
    found = {lora.name: lora for lora in named}
    return (*(lora for lora in chosen if lora.name not in found), *found.values())
