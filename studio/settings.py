"""Every setting, in one frozen class. Environment variables with the prefix STUDIO_ set them; .env is read too.

The profile decides who may do what: `local` is one person at this machine, `lan` is people who know the
password, `space` is strangers on the open internet.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from studio.addresses import in_own_network, read_peers
from studio.errors import StudioError
from studio.requests import PictureFormat

ROOT = Path(__file__).resolve().parent.parent

SHORTEST_PASSWORD = 8
"""Characters: fewer are guessed, however long each wrong one waits."""
SHORTEST_KEY = 16
"""Characters of a key, which does not wait."""

Profile = Literal["local", "lan", "space"]


class Settings(BaseSettings):
    """How this studio runs."""

    model_config = SettingsConfigDict(env_prefix="STUDIO_", env_file=ROOT / ".env", extra="ignore", frozen=True)

    profile: Profile = Field(
        "local", description="local: this machine only. lan: others, with a password. space: public."
    )
    host: str = Field("127.0.0.1", description="Address to listen on. Anything but loopback needs a password.")
    port: int = Field(
        7860, ge=0, le=65535, description="Port of the page; the next free one is taken if it is busy. 0: any."
    )
    user: str = Field("studio", description="User name for the password.")
    password: SecretStr = Field(SecretStr(""), description="Password that the page asks for, of at least 8 characters.")
    api_key: SecretStr = Field(SecretStr(""), description="A key of the API, of at least 16 characters.")
    hosts: tuple[str, ...] = Field((), description="Further host names under which the page may be reached.")
    peers: str = Field("", max_length=4000, description="Other studios that may compute for this one (docs/peers.md).")
    ray: bool = Field(False, description="Compute on workers of a Ray cluster (docs/cluster.md).")
    ray_host: str = Field(
        "", description="Address of this machine that others of the cluster reach. Default: none do, it stays here."
    )
    ray_port: int = Field(6379, ge=1024, le=65535, description="Port of the cluster, where others may join.")
    ray_workers: int = Field(-1, ge=-1, le=64, description="Workers of this machine. -1: one per device.")
    ray_min: int = Field(0, ge=0, le=1000, description="Workers that the cluster keeps beside those of its machines.")
    ray_max: int = Field(0, ge=0, le=1000, description="Most such workers, which come while much waits and go again.")
    ray_wait: float = Field(
        60.0, gt=0, description="Seconds of waiting work for each worker from which one more comes."
    )
    ray_idle: float = Field(300.0, gt=0, description="Seconds after which such a worker without work goes again.")
    ray_gpus: float = Field(0.0, ge=0, le=64, description="GPUs that each such worker needs.")
    models: Path | None = Field(
        None, description="Folder of the weights, which machines may share. Default: in the home."
    )
    mcp: bool = Field(False, description="Offer tools to programs that speak MCP, at /mcp (docs/mcp.md).")

    home: Path | None = Field(None, description="Folder for everything written. Default: the user's data folder.")
    language: str = Field("", description="en or zh-CN. Default: what the browser or the terminal asks for.")
    offline: bool = Field(False, description="Never try the network.")
    prepare: bool = Field(True, description="Fetch the starter model at the end of the install.")
    open_browser: bool = Field(True, description="Open the page in the browser after the start.")
    demo: bool = Field(False, description="Instant stand-in models only: to look around, for tests and screenshots.")

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where models run.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads for models. 0: one per physical core.")
    memory_gb: float = Field(
        0.0, ge=0, description="Memory that models may take together. 0: what the machine can spare."
    )
    faster: Literal["off", "auto", "on"] = Field(
        "off",
        description="Compile pinned models (docs/gpu.md). auto: where a card measured it faster. on: always.",
    )
    reserve_gb: float = Field(0.5, ge=0, description="Device memory left free for everything else.")
    keep_alive: float = Field(
        300.0, description="Seconds an unused model stays loaded. 0: free at once. Negative: for ever."
    )
    isolate: str = Field(
        "", max_length=2000, description="Models with a process of their own: all, or ids with commas between."
    )

    zero_models: str = Field(
        "", max_length=2000, description="On ZeroGPU: models that lie on the card; ids with commas between."
    )
    park_alive: float = Field(
        1800.0, description="Seconds such a model stays parked after that, where parking is cheap. Negative: for ever."
    )
    stuck_after: float = Field(
        900.0, ge=0, description="Seconds without a sign of life after which a device counts as stuck. 0: never."
    )

    max_queue: int = Field(32, ge=1, le=1000, description="Jobs that may wait before new ones are refused.")
    max_jobs_per_session: int = Field(8, ge=1, le=100, description="Jobs one browser may have waiting or running.")
    detach_grace: float = Field(
        0.0, ge=0, description="Seconds a job goes on after its page closed. 0: until it is done (in space: 60)."
    )
    longest_job: float = Field(
        0.0, ge=0, description="Seconds that a job may work; longer ones are refused or ended. 0: any (in space: 300)."
    )
    max_upload_mb: int = Field(32, ge=1, le=1024, description="Largest file that the page takes.")
    keep_free_gb: float = Field(1.0, ge=0, description="Disk space that downloads and outputs leave free.")
    max_copy_gb: float = Field(
        16.0, ge=0, description="Largest copy of a model in the precision of this processor, to load faster. 0: none."
    )
    copies_gb: float = Field(
        32.0, ge=0, description="Disk space of all such copies; the one used longest ago makes room. 0: none are made."
    )
    file_names: str = Field(
        "", max_length=300, description="How pictures are named. Default: [date]/[time]-[prompt_words]-[seed]"
    )
    policy: str = Field(
        "", max_length=500, description="What may be asked and shown: a file of rules, module:Class, or none."
    )
    picture_check: Path | None = Field(
        None, description="Folder of an image classifier that says which pictures may not be shown."
    )
    producer: str = Field(
        "",
        pattern=r"[\x21-\x7e]{0,60}",
        description="Who answers for what is made, in every file's mark. Default: Atelier",
    )
    explicit_label: Literal["", "en", "zh-CN"] = Field(
        "", description="Language of a label that is seen or heard on everything that is made. Default: none."
    )
    sign: bool = Field(False, description="Sign what is made with a key of this studio's own (C2PA).")
    watermark: bool = Field(False, description="Answers of transformers' models carry a watermark (SynthID-Text).")
    picture_format: PictureFormat = Field("png", description="The format that pictures are kept in.")

    @model_validator(mode="after")
    def _guard_the_door(self) -> Self:
        length = len(self.password.get_secret_value())
        if 0 < length < SHORTEST_PASSWORD:
            raise ValueError(f"STUDIO_PASSWORD needs at least {SHORTEST_PASSWORD} characters")
        if 0 < len(self.api_key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"STUDIO_API_KEY needs at least {SHORTEST_KEY} characters")
        if self.profile == "lan" and not self.password.get_secret_value():
            raise ValueError("STUDIO_PROFILE=lan needs STUDIO_PASSWORD")
        if self.profile == "local" and not is_loopback(self.host) and not self.password.get_secret_value():
            raise ValueError(f"listening on {self.host} needs STUDIO_PASSWORD")
        return self

    @model_validator(mode="after")
    def _keep_clusters_to_acquaintances(self) -> Self:
        if self.ray and self.profile == "space":
            raise ValueError("STUDIO_RAY is not for STUDIO_PROFILE=space")
        if self.ray_min > self.ray_max:
            raise ValueError("STUDIO_RAY_MIN is more than STUDIO_RAY_MAX")
        return self

    @field_validator("peers")
    @classmethod
    def _peers_are_addresses(cls, peers: str) -> str:
        read_peers(peers)
        return peers

    @field_validator("ray_host")
    @classmethod
    def _cluster_is_in_ones_own_network(cls, host: str) -> str:
        if host and not in_own_network(host):
            raise ValueError("must be an address of this machine in your own network, like 192.168.1.20")
        return host

    @property
    def public(self) -> bool:
        """Strangers use it: closed catalogue, no shared history, no paths of this machine."""
        return self.profile == "space"


def is_loopback(host: str) -> bool:
    """True where only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load(**overrides: object) -> Settings:
    """Settings from the environment, `.env` and `overrides`.

    Raises:
        StudioError: a value is wrong; names the variable.
    """
    try:
        return Settings(**overrides)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        first = error.errors()[0]
        name = "STUDIO_" + "_".join(str(part) for part in first["loc"]).upper() if first["loc"] else "STUDIO_*"
        raise StudioError("bad_setting", name=name, reason=first["msg"].removeprefix("Value error, ")) from None
