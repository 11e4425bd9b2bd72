"""Addresses of other computers: https anywhere, http inside one's own network alone."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.addresses import Address, is_private, look_up, read_address, read_peers
from studio.errors import StudioError
from studio.settings import load


@pytest.mark.parametrize(
    ("text", "same", "name"),
    [
        ("https://studio.example.org", "https://studio.example.org", "studio.example.org"),
        ("https://studio.example.org:8443/a/v1/", "https://studio.example.org:8443/a/v1", "studio.example.org:8443"),
        ("http://192.168.1.5:7860", "http://192.168.1.5:7860", "192.168.1.5:7860"),
        ("http://desk.local:80", "http://desk.local", "desk.local"),
        ("http://[::1]:7860", "http://[::1]:7860", "[::1]:7860"),
        ("http://100.101.102.103:7860", "http://100.101.102.103:7860", "100.101.102.103:7860"),
        ("HTTP://LOCALHOST:7860", "http://localhost:7860", "localhost:7860"),
        ("https://8.8.8.8", "https://8.8.8.8", "8.8.8.8"),
    ],
)
def test_an_address_is_read(text: str, same: str, name: str) -> None:
    assert (str(read_address(text)), read_address(text).name) == (same, name)


@pytest.mark.parametrize(
    "text",
    [
        "", "studio", "ftp://a.example", "file:///etc/passwd", "https://", "https:///x", "//a.example", "https://a b",
        "https://user@a.example", "https://user:key@a.example", "https://a.example?x=1", "https://a.example?",
        "https://a.example#x", "https://a.example/../x\n", "https://a.example/a b", "https://a.example:0",
        "https://a.example:99999", "https://a.example/\x00", "https://[::1", "https://ä.example", "https://-a",
        "http://8.8.8.8", "http://[2001:4860:4860::8888]:80", "http://0.0.0.0:7860", "http://169.254.169.254",
        "http://[::ffff:8.8.8.8]", "http://224.0.0.1", "https://" + "a" * 400, "http://[fe80::1]",
    ],
)  # fmt: skip
def test_what_may_not_be_spoken_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_address(text)


@given(st.text(max_size=80))
def test_whatever_is_written_is_an_address_or_refused(text: str) -> None:
    for one in (text, f"http://{text}", f"https://{text}"):
        try:
            found = read_address(one)
        except ValueError:
            continue
        assert read_address(str(found)) == found


@pytest.mark.parametrize(
    ("addresses", "private"),
    [(["192.168.1.5"], True), (["127.0.0.1"], True), (["93.184.216.34"], False), (["192.168.1.5", "8.8.8.8"], False),
     (["169.254.169.254"], False), ([], False), (["fe80::1%eth0"], False), (["fd00::1"], True)],
)  # fmt: skip
def test_a_name_has_to_lead_into_the_network(
    addresses: list[str], private: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: Any = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: told)
    if private:
        assert look_up(Address("http", "desk.local", 80)) == addresses[0]
    else:
        with pytest.raises(ValueError, match="network"):
            look_up(Address("http", "desk.local", 80))


@given(st.ip_addresses())
def test_nothing_of_the_internet_is_private(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert not (is_private(ip) and ip.is_global)


def test_peers_are_addresses_with_the_names_of_their_keys() -> None:
    found = read_peers("http://192.168.1.5:7860 DESK_KEY, https://studio.example.org,")
    assert [(str(one.address), one.key) for one in found] == [
        ("http://192.168.1.5:7860", "DESK_KEY"), ("https://studio.example.org", "")
    ]  # fmt: skip
    assert read_peers("") == ()


@pytest.mark.parametrize(
    ("text", "word"),
    [("http://8.8.8.8", "https://"), ("https://a.example atelier-XyZ_secret", "environment variable"),
     ("https://a.example, https://a.example KEY", "twice"), ("x", "address"),
     (",".join(f"https://a{number}.example" for number in range(17)), "at most")],
)  # fmt: skip
def test_a_wrong_peer_ends_the_start_with_the_setting_that_is_wrong(
    text: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_PEERS", text)
    with pytest.raises(StudioError) as error:
        load(_env_file=None)
    assert error.value.params["name"] == "STUDIO_PEERS"
    assert word in str(error.value.params["reason"])
    assert "secret" not in str(error.value)
