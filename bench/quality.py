"""How good what the models of the starter say is, on sets of our own: `code` fills holes in fifty small files.

python -m bench.quality code [--model smollm2-135m] [--only NAME ...] [--show]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import quality_code

PARTS: Mapping[str, Callable[[list[str]], None]] = {"code": quality_code.main}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=sorted(PARTS))
    asked, rest = parser.parse_known_args()
    PARTS[asked.part](rest)


if __name__ == "__main__":
    main()
