"""Gradio's script that keeps the parts of the page, mended on its way to the browser: with a thousand it is slow.

Whatever is read from a part or set in one, it walks through all of them to find it, and for one that is not drawn yet
through all of them again: some hundred walks for one press of the image tab's Run, a thousand while a tab opens.
Here each part is found in a table, and only what was changed is looked through. A script that is not, word for word,
the one that this was written for goes out as it is. See docs/decisions/077-mending.md.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import gradio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tabs.door.gate import local_path

SCRIPTS = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
CHANGES = (
    (  # A part by its id. The table is made anew where it lacks one, as after parts were added.
        "function Z(e,t){if(e.id===t)return e;"
        "if(e.children)for(let n of e.children){let e=Z(n,t);if(e)return e}return null}",
        "var Zs=new WeakMap;function Z(e,t){let n=Zs.get(e)?.get(t);if(n)return n;let r=new Map,"
        "i=e=>{r.has(e.id)||r.set(e.id,e);if(e.children)for(let t of e.children)i(t)};i(e);Zs.set(e,r);"
        "return r.get(t)??null}",
    ),
    (  # Parts that are drawn by a handler take the place of others with the same ids.
        "a.children=i.children,this.#f(i)}",
        "a.children=i.children,Zs.delete(this.root),this.#f(i)}",
    ),
    (  # One part became visible: what it holds is looked through for parts whose script is still to be fetched.
        "n&&`visible`in t&&(n.props.shared_props.visible=t.visible),q(this.root,this.#r.api_url)",
        "n&&`visible`in t&&(n.props.shared_props.visible=t.visible),q(n??this.root,this.#r.api_url)",
    ),
)
"""Passages of the script and what stands there instead, all or none."""
A_DAY = "public, max-age=86400"
"""How long a browser keeps it. Its name does not change when a change of ours does."""


@cache
def mended() -> tuple[str, bytes] | None:
    """Name and content of the script; None where Gradio's is another than the one that is known."""
    for file in SCRIPTS.glob("core-*.js"):
        text = file.read_text(encoding="utf-8")
        if all(text.count(old) == 1 for old, _ in CHANGES):
            for old, new in CHANGES:
                text = text.replace(old, new)
            return file.name, text.encode()
    return None


class Mending:
    """Answers the script's address with the mended one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = mended() if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else None
        if found is None or local_path(scope) != f"/assets/{found[0]}":
            await self._app(scope, receive, send)
            return
        mark = f'W/"{hashlib.sha256(found[1]).hexdigest()[:16]}"'
        headers = {"Cache-Control": A_DAY, "ETag": mark}
        known = mark in Headers(scope=scope).get("if-none-match", "")
        answer = Response(status_code=304, headers=headers) if known else Response(
            found[1], headers=headers, media_type="text/javascript"
        )  # fmt: skip
        await answer(scope, receive, send)
