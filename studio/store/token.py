"""Access token of the hub: asked about at the hub, and kept where its own library keeps it, for every program."""

from __future__ import annotations

from studio.errors import StudioError


def keep(token: str) -> None:
    """Keep a token that the hub knows.

    Raises:
        StudioError: token_refused where the hub does not know it or cannot be asked.
    """
    from huggingface_hub import login

    if not token.strip():
        raise StudioError("token_refused", reason="–")
    try:
        login(token=token.strip(), add_to_git_credential=False)
    except Exception as error:  # the hub's library raises many kinds, and none of them may show the token
        raise StudioError("token_refused", reason=type(error).__name__) from None
