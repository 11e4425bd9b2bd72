"""The memory of the machine in the panel of models: a bar for each device, and what left memory lately, as HTML.

The bar has five parts that add up to all there is: models, what is kept for work, the studio beside these, everybody
else, and what is free. Weights that are mapped from a file are counted as the models' although the system may still
call them free.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from studio.i18n import text
from studio.paths import gigabytes
from studio.status import Departure, Lent, ManagerStatus, Status
from tabs.models import model_row

PARTS = ("weights", "parked", "work", "studio", "others")


@dataclass(frozen=True, slots=True)
class Shares:
    """Bytes of one device: models where they compute, models parked there, work, the studio, all others, all of it."""

    weights: int
    parked: int
    work: int
    studio: int
    others: int
    total: int

    @property
    def free(self) -> int:
        return max(self.total - self.weights - self.parked - self.work - self.studio - self.others, 0)


def shares(device: ManagerStatus, status: Status) -> Shares:
    """How a device's memory is divided. The machine's own also holds what other devices have parked there.

    What the studio's processes hold is first that of models and of work, as far as no file backs these. What is left is
    the studio's own, with the libraries of each process.
    """
    weights, work = device.charged - device.work, device.work
    used = max(device.total - device.free, 0)
    if device.device.kind == "cuda":
        return Shares(weights, 0, work, 0, used - min(weights, used), device.total)
    parked = sum(other.parked for other in status.devices)
    mapped = sum(max(model.nbytes - model.host, 0) for model in device.models if model.host is not None)
    ours = min(status.private, used)
    studio = max(ours - max(weights - mapped, 0) - parked - work, 0)
    return Shares(weights, parked, work, studio, used - ours, device.total)


def draw(status: Status, spoken: str, restarts: bool, title: Callable[[str], str] = str) -> str:
    """The bars of all devices, and what to do about one that does not answer.

    Args:
        restarts: whether this person may start the studio again. title: what a model is called, by its id.
    """
    bars = "".join(_device(device, status, spoken) for device in status.devices)
    return bars + _cluster(status.lent, spoken, title) + _stuck(status, spoken, restarts)


def departures(status: Status, title: Callable[[str], str], spoken: str) -> str:
    """What left memory, newest first, and why.

    Args:
        title: what a model is called, by its key.
    """
    left = sorted((one for device in status.devices for one in device.departures), key=lambda one: one.ago)
    if not left:
        return ""
    rows = "".join(f"<li>{_departure(one, title, spoken)}</li>" for one in left[:8])
    return f'<h3>{_say("departures", spoken)}</h3><ul class="a-departures">{rows}</ul>'


def why(departure: Departure, title: Callable[[str], str], spoken: str) -> str:
    """The reason in plain words."""
    if departure.reason == "room" and departure.for_key:
        return text("models.why_room_for", spoken, model=title(departure.for_key))
    return text(f"models.why_{departure.reason}", spoken)


def _departure(departure: Departure, title: Callable[[str], str], spoken: str) -> str:
    reason = html.escape(why(departure, title, spoken))
    if departure.parked:
        reason += f" · {_say('went_parked', spoken)}"
    ago = model_row.since(departure.ago, spoken, "ago")
    numbers = _say("departed", spoken, size=gigabytes(departure.nbytes), ago=ago)
    return f"<strong>{html.escape(title(departure.key))}</strong><span>{reason}</span><span>{numbers}</span>"


def _device(device: ManagerStatus, status: Status, spoken: str) -> str:
    divided = shares(device, status)
    sizes = {part: getattr(divided, part) for part in PARTS}
    key = "device" if device.device.kind == "cuda" else "machine"
    name = _say(key, spoken, name=device.device.name)
    amount = _say("of", spoken, total=gigabytes(divided.total), budget=gigabytes(device.budget))
    told = _say(
        "bar", spoken, total=gigabytes(divided.total), weights=gigabytes(divided.weights + divided.parked),
        work=gigabytes(divided.work), studio=gigabytes(divided.studio), others=gigabytes(divided.others),
        free=gigabytes(divided.free),
    )  # fmt: skip
    bar = "".join(
        f'<span class="a-part-{part}" style="width:{_percent(size, divided.total)}%"></span>'
        for part, size in sizes.items() if size > 0
    )  # fmt: skip
    shown = {**sizes, "free": divided.free}
    for part in ("parked", "studio"):
        if not shown[part]:
            del shown[part]
    legend = "".join(
        f'<span><i class="a-part-{part}"></i>{_say(part, spoken)} <b>{gigabytes(size) if size else "0"}</b></span>'
        for part, size in shown.items()
    )
    return (
        f'<section class="a-device"><p><strong>{name}</strong><span>{amount}</span></p>'
        f'<div class="a-bar" role="img" aria-label="{told}">{bar}</div>'
        f'<div class="a-legend" aria-hidden="true">{legend}</div></section>'
    )


def _cluster(lent: Sequence[Lent], spoken: str, title: Callable[[str], str]) -> str:
    """The devices of the cluster, by machine: what each has in memory and to do."""
    said = ""
    for machine, devices in groupby(lent, lambda one: one.machine):
        rows = "".join(f"<li>{_lent(one, spoken, title)}</li>" for one in devices)
        said += f'<h3>{_say("cluster", spoken, machine=machine)}</h3><ul class="a-departures a-cluster">{rows}</ul>'
    return f'<section class="a-device">{said}</section>' if said else ""


def _lent(one: Lent, spoken: str, title: Callable[[str], str]) -> str:
    warm = text("page.comma", spoken).join(title(id) for id in one.models[:8]) or text("models.cluster_empty", spoken)
    doing = _say("cluster_jobs", spoken, count=one.jobs) if one.jobs else _say("cluster_idle", spoken)
    name = html.escape(f"{one.device} · {one.hardware}")
    return f"<strong>{name}</strong><span>{html.escape(warm)}</span><span>{doing}</span>"


def _stuck(status: Status, spoken: str, restarts: bool) -> str:
    """The devices that do not answer, and models that did not go."""
    said = [
        _say("stuck", spoken, device=device.device.name, time=_minutes(device.stuck, spoken))
        for device in status.devices if device.stuck is not None
    ]  # fmt: skip
    if not said:
        return ""
    button = f'<button type="button" data-do="restart">{_say("restart", spoken)}</button>' if restarts else ""
    first = "".join(f"<p>{line}</p>" for line in said)
    return f'<div class="a-error" role="alert">{first}<p class="a-next">{_say("stuck_next", spoken)}</p>{button}</div>'


def _minutes(seconds: float, spoken: str) -> str:
    if seconds < 60:
        return text("models.seconds", spoken, count=int(seconds))
    return text("models.minutes", spoken, count=int(seconds / 60))


def _percent(part: int, whole: int) -> str:
    return f"{min(part / max(whole, 1), 1) * 100:.2f}"


def _say(key: str, spoken: str, **params: object) -> str:
    return html.escape(text(f"models.{key}", spoken, **params))
