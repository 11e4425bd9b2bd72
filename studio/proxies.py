"""Proxy variables in a form that no library stumbles over: an address inside this machine never goes through a proxy.

Gradio asks its own page whether it is up, and makes its clients while it is imported. One that meets a scheme which it
does not know, or SOCKS without the package for it, raises there and then.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import MutableMapping
from urllib.parse import urlsplit

log = logging.getLogger("studio")

_NAMES = ("all_proxy", "http_proxy", "https_proxy")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PLAIN, _SOCKS = ("http", "https"), ("socks4", "socks4a", "socks5", "socks5h")


def settle(environment: MutableMapping[str, str]) -> None:
    """Mend the proxy variables of `environment`, for this process and all that it starts. A second call does nothing.

    ``socks://``, which desktops write, is SOCKS 5. A variable that nobody here could use is taken out and named in the
    log: an app that starts without a proxy can say so, one that does not start cannot.
    """
    for name in [name for name in environment if name.lower() in _NAMES]:
        value = environment[name].strip()
        if not value:
            continue
        if usable := _usable(value):
            environment[name] = usable
        else:
            del environment[name]
            log.warning("%s is left out: no proxy of the kind %s can be used here", name, _scheme(value) or "given")
    for name in ("no_proxy", "NO_PROXY"):  # programs differ in which of the two they read first
        kept = [host.strip() for host in environment.get(name, "").split(",") if host.strip()]
        if "*" not in kept:
            environment[name] = ",".join([*kept, *(host for host in _LOOPBACK if host not in kept)])


def _usable(value: str) -> str:
    """The address as the libraries understand it; "" where none does."""
    scheme = _scheme(value)
    if scheme == "socks":
        scheme, value = "socks5", "socks5" + value[len("socks") :]
    if scheme in _SOCKS:
        known = scheme in ("socks5", "socks5h") and importlib.util.find_spec("socksio") is not None
        return value.rstrip("/") if known and _host(value) else ""
    if "://" not in value:
        return value if _host(f"http://{value}") else ""
    return value if scheme in _PLAIN and _host(value) else ""


def _scheme(value: str) -> str:
    return value.partition("://")[0].lower() if "://" in value else ""


def _host(value: str) -> str:
    """The host of an address; "" where it has none or its port is no number."""
    try:
        parts = urlsplit(value)
        return (parts.hostname or "") if parts.port is None or parts.port else ""
    except ValueError:
        return ""
