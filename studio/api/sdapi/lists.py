"""Lists of what there is, as AUTOMATIC1111 has them: models, samplers, what enlarges, adaptations, memory."""

from __future__ import annotations

from typing import Any

import anyio
import psutil
from fastapi import APIRouter

from studio.api.sdapi import naming, translate
from studio.api.sdapi.state import PREFIX, States
from studio.api.submitting import Desk
from studio.errors import StudioError
from studio.recipes.control_text import MODULES

_LATENT = ("Latent", "Latent (antialiased)", "Latent (bicubic)", "Latent (bicubic antialiased)", "Latent (nearest)",
           "Latent (nearest-exact)")  # fmt: skip
_EMPTY = ("hypernetworks", "face-restorers", "realesrgan-models", "script-info", "extensions", "sd-modules")
"""Lists of what we do not have."""


def routes(desk: Desk, _: States) -> APIRouter:
    router = APIRouter(prefix=PREFIX)

    @router.get("/sd-models")
    async def models() -> list[dict[str, Any]]:
        """Models that paint and can be asked at once."""
        cards = await anyio.to_thread.run_sync(naming.here, desk)
        return [
            {"title": naming.title(card, cards), "model_name": card.id, "hash": None, "sha256": None,
             "filename": card.id, "config": None}
            for card in cards
        ]  # fmt: skip

    @router.get("/samplers")
    async def samplers() -> list[dict[str, Any]]:
        return translate.samplers()

    @router.get("/schedulers")
    async def schedulers() -> list[dict[str, Any]]:
        return translate.schedulers()

    @router.get("/upscalers")
    async def upscalers() -> list[dict[str, Any]]:
        """What enlarges finished pictures."""
        cards = await anyio.to_thread.run_sync(naming.here, desk, "upscale")
        return [
            {"name": naming.title(card, cards), "model_name": card.id, "model_path": None, "model_url": None,
             "scale": int(card.limits.get("max_scale", 4))}
            for card in cards
        ]  # fmt: skip

    @router.get("/latent-upscale-modes")
    async def modes() -> list[dict[str, Any]]:
        """Ways to enlarge before the second painting, by their names there: here they are one."""
        return [{"name": name} for name in _LATENT]

    @router.get("/sd-vae")
    async def vaes() -> list[dict[str, Any]]:
        found = await anyio.to_thread.run_sync(desk.studio.vaes)
        return [{"model_name": name, "filename": name} for name in found]

    @router.get("/loras")
    async def loras() -> list[dict[str, Any]]:
        """Adaptations, by the names that stand in a prompt."""
        found = await anyio.to_thread.run_sync(desk.studio.loras)
        return [{"name": name, "alias": name, "path": name, "metadata": {}} for name in found]

    @router.get("/prompt-styles")
    async def styles() -> list[dict[str, Any]]:
        found = await anyio.to_thread.run_sync(desk.studio.styles)
        return [{"name": name, "prompt": "", "negative_prompt": ""} for name in found]

    @router.get("/embeddings")
    async def embeddings() -> dict[str, Any]:
        """Textual inversions that lie in home/embeddings."""
        found = await anyio.to_thread.run_sync(_embeddings, desk)
        told = {name: {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 0, "vectors": 0}
                for name in found}  # fmt: skip
        return {"loaded": told, "skipped": {}}

    @router.get("/scripts")
    async def scripts() -> dict[str, list[str]]:
        """Extensions that are understood."""
        return {"txt2img": ["controlnet", "adetailer"], "img2img": ["controlnet", "adetailer"]}

    @router.get("/cmd-flags")
    async def flags() -> dict[str, Any]:
        return {"api": True}

    @router.get("/memory")
    async def memory() -> dict[str, Any]:
        """Bytes of the machine and of its card."""
        return await anyio.to_thread.run_sync(_memory, desk)

    for name in _EMPTY:
        router.get(f"/{name}", name=name)(nothing)
    whole = APIRouter()
    for part in (router, _controlnet(desk)):
        whole.include_router(part)
    return whole


def _controlnet(desk: Desk) -> APIRouter:
    """What the extension ControlNet lists at addresses of its own."""
    router = APIRouter(prefix="/controlnet")

    @router.get("/version")
    async def version() -> dict[str, int]:
        """Of the form in which units are sent."""
        return {"version": 2}

    @router.get("/model_list")
    async def models() -> dict[str, list[str]]:
        found = await anyio.to_thread.run_sync(desk.studio.controlnets)
        return {"model_list": list(found)}

    @router.get("/module_list")
    async def modules() -> dict[str, Any]:
        """Preprocessors, by their names there."""
        names = [name.partition(" ")[0] for name in MODULES.values()]
        return {"module_list": names, "module_detail": {name: {"model_free": False, "sliders": []} for name in names}}

    @router.get("/control_types")
    async def types() -> dict[str, Any]:
        """One for everything: which models go with which preprocessor is for whoever chooses."""
        found = await anyio.to_thread.run_sync(desk.studio.controlnets)
        names = [name.partition(" ")[0] for name in MODULES.values()]
        every = {
            "module_list": names,
            "model_list": ["None", *found],
            "default_option": "none",
            "default_model": "None",
        }
        return {"control_types": {"All": every}}

    return router


async def nothing() -> list[Any]:
    """None of these."""
    return []


def _embeddings(desk: Desk) -> list[str]:
    if desk.studio.settings.public:
        return []
    return sorted(file.stem for file in desk.studio.home.embeddings.glob("*.safetensors"))


def _memory(desk: Desk) -> dict[str, Any]:
    if desk.studio.settings.public:
        raise StudioError("not_for_public")
    ram = psutil.virtual_memory()
    found: dict[str, Any] = {"ram": {"free": ram.available, "used": ram.total - ram.available, "total": ram.total}}
    cards = [one for one in desk.studio.status().devices if one.device.kind == "cuda"]
    if not cards:
        return {**found, "cuda": {"error": "unavailable"}}
    card = cards[0]
    return {**found, "cuda": {
        "system": {"free": card.free, "used": card.total - card.free, "total": card.total},
        "allocated": {"current": card.charged, "peak": card.charged}, "events": {"retries": 0, "oom": 0},
    }}  # fmt: skip
