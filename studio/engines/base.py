"""The seam between the studio and a kind of model: four small methods.

An engine is stateless and cheap to import: torch, diffusers, transformers and xllamacpp are imported inside
`load`, on the compute thread. What `load` returns stays in memory until the manager closes it. All methods
of a loaded model are called on one thread, one call at a time; engines need no locks, but for those that answer
several requests at once because they say so (AnswersSeveral).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from PIL import Image

from studio.catalog.card import Card
from studio.catalog.engines import ENGINES
from studio.devices.device import Device
from studio.requests import CaptionRequest, ChatRequest, ImageRequest, MusicRequest, Request, SoundUse
from studio.results import Output, Tokens, Usage

if TYPE_CHECKING:  # a process that computes pictures need not read the words of music
    from studio.tasks.music.prompt_parser import Reading


class Context(Protocol):
    """What a run may tell, and the questions it must ask between steps."""

    @property
    def adapters(self) -> tuple[Path, ...]:
        """Folders of LoRA files and of embeddings for requests that name some, of which the first that has a name
        counts, and those of VAEs and refiners; then those of IP-Adapters and of ControlNets, of which the last does."""
        ...

    @property
    def previews(self) -> bool:
        """Somebody sees or hears the work in progress. Where False, engines spend no time on showing it."""
        ...

    @property
    def cancelled(self) -> bool:
        """True once the person pressed Stop. Text engines stop and return what they have."""
        ...

    def alive(self) -> None:
        """Tell that the run goes on. Needed only where it neither checks nor steps for long: both say so as well.

        A device from which nothing is heard for too long counts as stuck, and what runs there is ended.
        """
        ...

    def check(self) -> None:
        """Raise `studio.errors.Cancelled` once the person pressed Stop."""
        ...

    def skipped(self) -> bool:
        """True once for each press of Skip: the picture in work is dropped, the others still come."""
        ...

    def step(self, done: int, total: int = 0) -> None:
        """Real progress: `done` of `total` steps (0 = unknown). Call it after each step."""
        ...

    def text(self, delta: str) -> None:
        """New text to show."""
        ...

    def sound(self, samples: Any, rate: int) -> None:
        """Sound that comes next in the piece in work, an array (channels, frames); asked for only with `previews`."""
        ...

    def preview(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None:
        """A picture of the work in progress. Cheap to call: the studio drops what it cannot show.

        Args:
            number: which of the request's pictures it is. whole: it is finished, and others still come.
        """
        ...


class Loaded(Protocol):
    """A model in memory."""

    def nbytes(self) -> int:
        """Bytes it occupies now, over unique storages."""
        ...

    def run(self, request: Any, context: Context) -> Output:
        """Answer one request. Requests arrive resolved: no field is None.

        Raises:
            Cancelled: stopped with nothing worth keeping.
            StudioError: the request cannot be answered; says why.
        """
        ...

    def close(self) -> None:
        """Drop everything. Called once; the object is not used again. What that leaves is collected by the manager."""
        ...


@runtime_checkable
class Parkable(Protocol):
    """A loaded model that can leave its device and come back without being read again.

    While it is parked nothing of it is on the device, and nobody runs it.
    """

    def parked_nbytes(self) -> int | None:
        """Bytes of memory that cannot be read again from a file while it is parked; None where it cannot park now.

        Weights that are mapped from their file count as nothing: the system drops and reads them as it needs to.
        """
        ...

    def park(self) -> None:
        """Leave the device. Where it raises, the model is half moved and is closed."""
        ...

    def place(self) -> None:
        """Come back to the device. Where it raises, the model is half moved and is closed."""
        ...


@runtime_checkable
class KeepsForm(Protocol):
    """A loaded model that writes nothing but what a request's JSON schema allows."""

    keeps_form: bool


@runtime_checkable
class SeesPictures(Protocol):
    """An engine of text whose models may read pictures that come with a message. Others are never given any."""

    def sees(self, card: Card, files: Path | None) -> bool:
        """Whether a model does.

        Args:
            files: where they lie; None where they are not here, and its card alone tells.
        """
        ...


@runtime_checkable
class CountsConversation(Protocol):
    """A loaded model that tells how long a conversation is for it, from any thread, also while it is being asked."""

    def usage(self, request: ChatRequest) -> Usage:
        """How much of its context a conversation takes. The request is resolved; nothing is computed."""
        ...


@runtime_checkable
class Killable(Protocol):
    """A model that can be ended by force in the middle of a load or a run, which then raises."""

    def kill(self, silent: float = 0.0) -> None:
        """End it at once; from any thread.

        Args:
            silent: seconds for which nothing was heard of it, where that is why; the error then says so.
        """
        ...


class Worth(Protocol):
    """Whether a model's faster way pays, as whoever holds the model knows: it is slow at first and takes memory.

    A shape is what makes runs comparable, for example the size of a picture.
    """

    def pays(self, shape: str) -> bool:
        """Whether the next run of this shape is to be a fast one."""
        ...

    def took(self, shape: str, fast: bool, seconds: float) -> None:
        """One unit of a run's work (a step, a token) took so long."""
        ...

    def failed(self, shape: str) -> None:
        """The faster way does not work here."""
        ...


@runtime_checkable
class Hastens(Protocol):
    """A loaded model that has a faster way: the same results but for rounding, after one slow run."""

    def hasten(self, worth: Worth) -> None:
        """Ask `worth` before each run from now on. Without it every run is a plain one."""
        ...


@runtime_checkable
class TakesSeveral(Protocol):
    """A loaded model that captions several pictures at once."""

    def together(self, request: CaptionRequest) -> int:
        """How many it takes."""
        ...


@runtime_checkable
class Apart(Protocol):
    """A loaded model in a process of its own."""

    def process_nbytes(self) -> int:
        """Bytes that the process holds, without what is mapped from files; 0 once it is gone. From any thread."""
        ...


class Engine(Protocol):
    """A kind of model. One instance serves the whole process.

    What only some engines can do is a protocol each, below. It loads no weights and may be called on any thread.
    """

    def weights(self, card: Card, files: Path) -> int:
        """Bytes the model will occupy once loaded, from file headers or sizes; without loading it."""
        ...

    def work(self, card: Card, request: Request) -> int:
        """Bytes a run needs on top of the weights. An estimate to reserve; without torch."""
        ...

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> Loaded:
        """Read the model into memory.

        Args:
            files: the model's folder, or its one file.
            report: real progress, 0..1, where the library tells it.

        Raises:
            StudioError: the files are not what the card says, or a package is missing.
        """
        ...


@runtime_checkable
class AnswersSeveral(Engine, Protocol):
    """An engine whose models may answer several requests at once, faster than one after another.

    `run` is then called on as many threads at a time as the model was given places, while anything may happen on the
    compute thread, the building of other models included: neither torch nor what else only one thread may use belongs
    there.
    """

    def places(self, card: Card) -> int:
        """How many requests a model may be asked at once; with 1 it is like any other."""
        ...

    def place_nbytes(self, card: Card, files: Path) -> int:
        """Bytes that a model takes for each place beside the first, from file headers; without loading it."""
        ...

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None], places: int = 1) -> Loaded:
        """As `Engine.load`, with so many places: no more than `places` says, fewer where the memory is short."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """An engine of pictures that knows its model's tokenizer."""

    def tokens(self, card: Card, files: Path, prompt: str, adapters: Sequence[Path] = ()) -> Tokens:
        """How much of a prompt the model reads; `adapters` as in Context."""
        ...


@runtime_checkable
class ChoosesSampler(Protocol):
    """An engine of pictures whose models may not go with every sampler."""

    def samples(self, card: Card, files: Path, scheduler: str) -> bool:
        """Whether the model can be painted with by a sampler, from its files."""
        ...


@runtime_checkable
class TakesControls(Protocol):
    """An engine of pictures whose painting can be held to other pictures. Others are never given any."""

    def check_controls(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        """Raise StudioError where a model cannot be painted with the controls of a request, from headers alone.

        Args:
            folders: as `Context.adapters`.
        """
        ...


@runtime_checkable
class TakesReferences(Protocol):
    """An engine of pictures whose models can be shown reference pictures. Others are never given any."""

    def check_references(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        """Raise StudioError where a model cannot be shown the references of a request, from headers alone.

        Args:
            folders: as `Context.adapters`.
        """
        ...


@runtime_checkable
class TakesVae(Protocol):
    """An engine of pictures whose models may decode by another VAE than their own. Others are never given one."""

    def check_vae(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        """Raise StudioError where a model's latents are not those of the request's VAE, from headers alone.

        Args:
            folders: where VAEs lie, as `Context.adapters`.
        """
        ...


@runtime_checkable
class TakesRefiner(Protocol):
    """An engine of pictures whose models may hand on to a refiner. Others are never given one."""

    def check_refiner(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        """Raise StudioError where a model cannot hand on to the request's refiner, from headers alone.

        Args:
            folders: where refiners lie, as `Context.adapters`.
        """
        ...


@runtime_checkable
class PaintsRegions(Protocol):
    """An engine of pictures that takes a prompt for each region, and paints details again.

    Others are never given either.
    """

    def check_regions(self, card: Card, files: Path) -> None:
        """Raise StudioError where a model cannot be painted with regions, from its files alone."""
        ...


@runtime_checkable
class ReadsPrompt(Protocol):
    """An engine of music that settles key, tempo and players before it begins."""

    def reading(self, request: MusicRequest, card: Card) -> Reading:
        """How it understands a request."""
        ...


@runtime_checkable
class HearsSound(Protocol):
    """An engine of music that can start from sound. Others are never given any."""

    def hears(self, card: Card) -> tuple[SoundUse, ...]:
        """What a model does with a sound that it is given; nothing where it takes none."""
        ...


_instances: dict[str, Engine] = {}


def engine(name: str) -> Engine:
    """The engine called `name`. KeyError where the catalogue let an unknown one through."""
    if name not in _instances:
        module, _, attribute = ENGINES[name].place.partition(":")
        _instances[name] = getattr(import_module(module), attribute)()
    return _instances[name]
