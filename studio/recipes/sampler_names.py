"""Our names for samplers and noise schedules as other programs call them: AUTOMATIC1111 and its relatives, ComfyUI and
SwarmUI, InvokeAI, NovelAI, Fooocus, Easy Diffusion, Draw Things, and the classes of diffusers."""

from __future__ import annotations

from studio.tasks.image.schedulers import OWN, SCHEDULERS

_SAMPLERS = {
    "plms": "PNDM", "dpm++ 2s": "DPM++ 2S", "dpmpp 2m": "DPM++ 2M", "dpmpp 2m sde": "DPM++ 2M SDE",
    "dpmpp 2m sde gpu": "DPM++ 2M SDE", "dpmpp 2s": "DPM++ 2S", "euler ancestral": "Euler a", "euler a": "Euler a",
    "uni pc": "UniPC", "uni pc bh2": "UniPC", "ddim cfgpp": "DDIM", "k euler": "Euler", "k euler a": "Euler a",
    "k euler ancestral": "Euler a", "k heun": "Heun", "k dpmpp 2m": "DPM++ 2M", "k dpmpp 2m sde": "DPM++ 2M SDE",
    "ddim v3": "DDIM", "unipc snr": "UniPC", "dpm++ 2m sde gpu": "DPM++ 2M SDE", "dpm++": "DPM++ 2M",
    "dpm++ 1s": "DPM++ 2S",
}  # fmt: skip
_SAMPLERS |= {name.casefold(): name for name in (*SCHEDULERS, OWN)}
_SAMPLERS |= {kind.casefold(): name for name, (kind, _) in reversed(SCHEDULERS.items()) if " Karras" not in name}
_KINDS = (
    "karras", "exponential", "polyexponential", "sgm uniform", "ddim uniform", "simple", "beta", "trailing", "ays",
    "substep", "turbo", "k",
)  # fmt: skip
_PLAIN = ("", "automatic", "normal", "uniform", "default", "none", "native")
_NONE = ("", "undefined", "none", "unknown")
_AUTOMATIC = {"DPM++ 2M": "Karras", "DPM++ 2M SDE": "Exponential"}
"""What AUTOMATIC1111's "Automatic" means where it is not the sampler's plain schedule."""


def sampler(name: str, schedule: str = "") -> tuple[str, tuple[str, ...]]:
    """Our name for a sampler and its noise schedule as other programs call them, and what of it we do not have.

    The name is empty where there is none; a schedule that we lack leaves the sampler's plain one.
    """
    words, kind = _words(name), " ".join(schedule.replace("_", " ").split())
    for ending in _KINDS:
        if words.endswith(f" {ending}") and words not in _SAMPLERS:
            words = words.removesuffix(ending).strip()
            kind = kind if kind.casefold() not in _PLAIN else "karras" if ending == "k" else ending
    if words in _NONE:
        return "", ()
    known = _SAMPLERS.get(words)
    if known is None:
        return "", (f"Sampler: {name}", *((f"Schedule type: {schedule}",) if _words(schedule) not in _PLAIN else ()))
    if kind.casefold() == "automatic":
        kind = _AUTOMATIC.get(known, "")
    if kind.casefold() == "karras" and f"{known} Karras" in SCHEDULERS:
        return f"{known} Karras", ()
    if kind.casefold() in _PLAIN or known.casefold().endswith(f" {kind.casefold()}"):
        return known, ()
    return known, (f"Schedule type: {kind}",)


def is_schedule(name: str) -> bool:
    """Whether a word names a noise schedule, where programs disagree on what they call a scheduler."""
    return _words(name) in (*_KINDS, *_PLAIN, "kl optimal", "linear quadratic")


def _words(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()
