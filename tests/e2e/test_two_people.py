"""Two people at once, round after round: whatever one of them makes, sends or says, the other is told nothing of it."""

from __future__ import annotations

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import quote

import pytest
from PIL import Image

from e2e.conftest import Serve
from e2e.test_doors import Program
from studio.service import Studio
from tabs.serve import free_port

ROUNDS = 50
BOTH = ("heron", "otter")
_ADDRESS = re.compile(r'gradio_api/file=[^"\\]+')


class Person(Program):
    """Somebody with a browser and an address of their own, who speaks of one animal and must never read of another.

    Attributes:
        heard: all that the studio has answered.
        kept: where pictures of theirs can be fetched, and what they sent lies.
    """

    def __init__(self, url: str, animal: str, other: str, password: str = "") -> None:
        login = {"username": "studio", "password": password} if password else None
        super().__init__(url, login, **{"x-forwarded-for": {"heron": "203.0.113.7", "otter": "198.51.100.9"}[animal]})
        self.animal, self.other = animal, other
        self.ids |= {"chat-where": self.event("chat-run")["inputs"][2], "asked": self.event("queue-again")["inputs"][0]}
        self.heard = ""
        self.kept: list[str] = []
        self.sent: list[str] = []

    def does(self, event: dict[str, object], **fields: object) -> str:
        said = self.send(event, session=self.animal, **fields)
        self.heard += said
        return said

    def round(self, number: int, talking: bool) -> None:
        """What somebody does in a minute: talks, paints, sends a picture, looks at the queue and at the page anew."""
        mark = f"{self.animal} {number}"
        if talking and number % 5 == 0:
            self.does(self.event("chat-new"))
            assert mark in self.does(self.event("chat-run"), chat_prompt=f"My secret is a {mark}")
        if number % 25 == 0:
            painted = self.does(self.event("image-run"), image_prompt=f"a {mark}", image_seed=str(number))
            self.kept += _ADDRESS.findall(painted)
            colour = "blue" if self.animal == "heron" else "brown"
            out = io.BytesIO()
            Image.new("RGB", (64, 48), colour).save(out, "PNG")
            sent = self.http.post("gradio_api/upload", files={"files": (f"{mark}.png", out.getvalue())})
            self.heard += sent.text
            self.sent += sent.json()
            assert "picture, mostly" in self.does(self.event("caption-run"), caption_image={"path": sent.json()[0]})
        for body in ({"do": "look"}, {"do": "cancel", "id": "0" * 32}):
            self.heard += self.http.post("atelier/queue", json=body).text
        self.heard += self.http.post("atelier/chats", json={"have": {}}).text
        if number % 25 == 0:  # nearly a megabyte
            self.heard += self.http.get("").text + self.http.get("config").text


def together(people: list[Person], talking: bool = True) -> None:
    """All of them do their rounds at the same time, none ahead of the others."""
    gate = Barrier(len(people))

    def rounds(person: Person) -> None:
        try:
            for number in range(ROUNDS):
                gate.wait(60)
                person.round(number, talking)
        except BaseException:
            gate.abort()
            raise

    with ThreadPoolExecutor(len(people)) as threads:
        list(threads.map(rounds, people))


def apart(people: list[Person]) -> None:
    for person in people:
        assert person.heard.count(person.animal) > ROUNDS // 5
        assert person.other not in person.heard


@pytest.mark.timeout(300)
def test_on_a_public_studio(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home of the owner"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(home / "cache" / "gradio"))
    studio, url = serve(profile="space", demo=True, home=home, port=free_port("127.0.0.1", 0))
    url = url.replace("localhost", "127.0.0.1")
    first, second = people = [Person(url, *pair) for pair in (BOTH, BOTH[::-1])]
    together(people)
    apart(people)
    for one, other in ((first, second), (second, first)):
        _reaches_nothing(studio, one, other)
    assert not [file for file in studio.home.chats.rglob("*") if file.is_file()]


def _steers_nothing(studio: Studio, one: Person, other: Person) -> None:
    """What somebody gets who names the other's jobs."""
    theirs = [job for job in studio.jobs() if other.animal in job.title]
    assert theirs
    for job in theirs:
        for body in ({"do": "cancel", "id": job.id}, {"do": "front", "id": job.id}):
            answer = one.http.post("atelier/queue", json=body)
            assert answer.status_code == 422
            assert other.animal not in answer.text
        assert other.animal not in one.send(one.event("queue-again"), asked=job.id)


def _reaches_nothing(studio: Studio, one: Person, other: Person) -> None:
    """What somebody finds who tries the other's jobs, conversations and uploads, and addresses that one could guess."""
    _steers_nothing(studio, one, other)
    for file in other.sent[:2]:
        assert "picture, mostly" not in one.send(one.event("caption-run"), caption_image={"path": file})
    for folder in (studio.home.chats, studio.home.outputs, studio.home.inputs, studio.instance.sessions):
        for file in [*folder.rglob("*")][:20]:
            assert one.http.get("gradio_api/file=" + quote(str(file))).status_code in (403, 404)
    for address in other.kept[:2]:
        token = re.sub(r"[0-9a-f]{32}", "0" * 32, address)
        assert one.http.get(token).status_code in (403, 404)
        assert one.http.get(address.rpartition("/")[0] + "/").status_code in (403, 404)
    for path in ("atelier/library", "atelier/library/about?id=image/x.png", "atelier/library/space"):
        assert one.http.get(path).status_code == 404
    (chat, *_) = [file.stem for file in studio.instance.sessions.rglob("*.json") if other.animal in file.read_text()]
    place = json.dumps({"chat": chat, "mark": ""})
    assert other.animal not in one.send(one.event("chat-run"), chat_prompt="go on", chat_where=place)


@pytest.mark.timeout(300)
def test_behind_a_password(serve: Serve) -> None:
    """What was made is in the library and among the conversations of all who know the password; what runs, waits and
    stands in the tabs is each person's."""
    studio, url = serve(profile="lan", demo=True, password="a long sentence")
    people = [Person(url, *pair, password="a long sentence") for pair in (BOTH, BOTH[::-1])]
    together(people, talking=False)
    apart(people)
    for one, other in ((people[0], people[1]), (people[1], people[0])):
        _steers_nothing(studio, one, other)
