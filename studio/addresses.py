"""Addresses of other computers that this one may speak to: https anywhere, http inside one's own network alone.

What is asked of a model is somebody's words. Over http everybody on the way reads them, so an address without
encryption has to be one of this machine or of a private network, also after its name was looked up.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST = 300
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}", re.ASCII)
"""The name of an environment variable, which a key itself hardly ever looks like."""
MOST_PEERS = 16
WORKER = "ray://"
"""Begins the address of a worker of the cluster, behind which its name stands; nobody writes such a one."""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_PATH = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)*", re.ASCII)
_SEEN = re.compile(r"[\x21-\x7e]+")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where another server is.

    Attributes:
        host: a name or an IP address, without brackets. path: what its addresses begin with, without the last slash.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def name(self) -> str:
        """What people know it by: its host, and its port where that is not the usual one."""
        return _bracketed(self.host) + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.name}{self.path}"

    def at(self, host: str) -> str:
        """The same with another host: that of the looked up name."""
        return f"{self.scheme}://{_bracketed(host)}:{self.port}{self.path}"


def read_address(text: str) -> Address:
    """An address as somebody wrote it.

    Raises:
        ValueError: it is none, or http to a place that everybody may read on the way to.
    """
    try:
        parts = urlsplit(text) if len(text) <= LONGEST and _SEEN.fullmatch(text) else None
        port = parts.port if parts is not None else None
    except ValueError:
        parts = port = None
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("must be an address like https://studio.example.org")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment or text[-1] in "?#":
        raise ValueError("must be an address alone, without a name, a key or a question in it")
    host, path, ip = parts.hostname, parts.path.rstrip("/"), _ip(parts.hostname)
    if (ip is None and not _HOST.fullmatch(host)) or not _PATH.fullmatch(path) or port == 0:
        raise ValueError("must be an address like https://studio.example.org")
    if parts.scheme == "http" and ip is not None and not is_private(ip):
        raise ValueError("must begin with https://, because this is no address of your own network")
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], path)


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a peer is, and the environment variable with its key; "" for none."""

    address: Address
    key: str = ""


def host_of(text: str) -> str:
    """What people know the computer by that has an address.

    Raises:
        ValueError: as `read_address`.
    """
    return text.removeprefix(WORKER) if text.startswith(WORKER) else read_address(text).name


def read_peers(text: str) -> tuple[Peer, ...]:
    """Peers as the setting has them: addresses with commas between, each with the name of its key's variable behind.

    Raises:
        ValueError: one of them cannot be used; says why.
    """
    found: list[Peer] = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        told, _, key = one.partition(" ")
        if (key := key.strip()) and not VARIABLE.fullmatch(key):
            raise ValueError("behind an address stands the name of the environment variable that holds its key")
        try:
            address = read_address(told)
        except ValueError as error:
            raise ValueError(f"{told[:100]} {error}") from None
        if address.name in {peer.address.name for peer in found}:
            raise ValueError(f"{address.name} stands there twice")
        found.append(Peer(address, key))
    if len(found) > MOST_PEERS:
        raise ValueError(f"at most {MOST_PEERS} are asked")
    return tuple(found)


def is_private(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is this machine, or in a network of one's own: RFC 1918, a private overlay, their like."""
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:  # what clouds tell machines about themselves is there
        return False
    return ip.is_loopback or not (ip.is_global or ip.is_reserved)


def in_own_network(host: str) -> bool:
    """Whether a host is the IP address of a machine in a network of one's own."""
    return (ip := _ip(host)) is not None and is_private(ip)


def look_up(address: Address) -> str:
    """The IP address that an http address may be reached at: one is chosen here, and no other is connected to.

    Raises:
        ValueError: one of those that its name has is not private. OSError: nobody knows the name.
    """
    if (ip := _ip(address.host)) is not None:
        found = [ip]
    else:
        told = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        found = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in told]
    if not found or not all(is_private(one) for one in found):
        raise ValueError("no address of one's own network")
    return str(found[0])


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
