"""The studio's page, put together and served. `python start.py` runs this, and so does a Space."""

import os
import sys

from studio import proxies

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before anything imports gradio or a hub client
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"
if os.environ.get("SPACE_ID"):
    os.environ.setdefault("STUDIO_PROFILE", "space")
proxies.settle(os.environ)


def main() -> int:
    """Serve until interrupted. Exit code 0, or 1 where the settings or the home folder are unusable."""
    from studio.errors import StudioError
    from studio.i18n import from_environment

    try:
        from studio import settings
        from studio.service import Studio

        studio = Studio(settings.load())
    except StudioError as error:
        language = from_environment()
        print(f"{error.what(language)}\n{error.next(language)}", file=sys.stderr)
        return 1
    os.environ["GRADIO_TEMP_DIR"] = str(studio.instance.shown)

    from tabs.serve import serve

    with studio:
        return serve(studio)


if __name__ == "__main__":
    raise SystemExit(main())
