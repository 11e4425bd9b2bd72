"""Screening: the policy of a studio, as its settings have it."""

from __future__ import annotations

from studio.engines.image.picture_check import PictureCheck
from studio.policy import Policy, load_policy
from studio.settings import ROOT, Settings

STANDARD = ROOT / "assets" / "policy.toml"
"""What strangers are refused where the operator says nothing."""


def policy_of(settings: Settings) -> Policy:
    """Nobody is asked at home; for strangers the closed list of words holds, and the picture check where there is one.

    Raises:
        StudioError: bad_policy.
    """
    checks = [PictureCheck(settings.picture_check)] if settings.picture_check is not None else []
    return load_policy(settings.policy, STANDARD if settings.public else None, checks)
