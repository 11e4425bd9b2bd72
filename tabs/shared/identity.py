"""Identity of who asks: the browser's name, the page's own where it keeps no cookies, and the address it comes from.

Inside another site's frame (a Space) a browser may send no cookie at all. Then the page's script (page.js) names
itself in a header, and without that the page's id in Gradio's messages stands for it. None of the three is made up
here for a request that has none: two requests of one page would be two people.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import cookie_parser
from starlette.types import Scope

SESSION = "atelier_session"
"""The cookie that names a browser. Scripts cannot read it."""
PAGE = "x-atelier-page"
"""The header in which a page names itself. It counts only where there is no cookie."""
_FORM = re.compile(r"[0-9a-f]{32}")
_NETWORK_BITS = 64  # what one customer of an IPv6 provider has at least


def browser(cookies: str) -> str:
    """The browser's name in a Cookie header; "" where it has none, or one that is not of our making.

    Other programs of this machine leave cookies too, in whatever form: a cookie knows no ports. Starlette's parser
    takes each for itself, where the standard library's gives up on all of them at the first odd sign.
    """
    return _formed(cookie_parser(cookies).get(SESSION, ""))


def named(cookies: Mapping[str, str], headers: Any) -> str:
    """What a request calls itself, by its cookie or by its page; "" for a program that does neither."""
    return _formed(cookies.get(SESSION, "")) or _formed(headers.get(PAGE) or "")


def folder(who: str) -> str:
    """A folder's name for somebody: as unique as the name, and without telling it."""
    return hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()[:32]


def address(scope: Scope, proxied: bool) -> str:
    """The network address that a request comes from; for IPv6 the network of one customer.

    Args:
        proxied: a proxy stands before the studio, as on a Space. Each proxy adds at the right whom it heard from, so
            the last public address is the visitor's; what stands further left, anybody may have written.
    """
    client = scope.get("client")
    found = str(client[0]) if client else ""
    if proxied and not _public(found):
        forwarded = [value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"]
        parts = b",".join(forwarded).decode("latin-1").split(",")
        found = next((part.strip() for part in reversed(parts) if _public(part.strip())), found)
    return network(found)


def network(host: str) -> str:
    """An address as limits count it: IPv6 by its first 64 bits, everything else as it is."""
    try:
        known = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        if known.is_global:
            return str(ipaddress.ip_network((known, _NETWORK_BITS), strict=False))
    return str(known)


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """All values of one header, as one."""
    return "; ".join(value.decode("latin-1") for key, value in headers if key == name)


def _formed(name: str) -> str:
    return name if _FORM.fullmatch(name) else ""


def _public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False
