"""The options that several words share. A gap (None) is filled by the model's own default."""

from __future__ import annotations

from typing import Annotated

import typer

from studio.cli.console import say
from studio.tasks.bounds import MAX_SEED

Json = Annotated[bool, typer.Option("--json", help=say("help.json"))]
Out = Annotated[str, typer.Option("--out", "-o", metavar="PATH", help=say("help.out"))]
Model = Annotated[str, typer.Option("--model", "-m", metavar="ID", help=say("help.model"))]
Seed = Annotated[int | None, typer.Option("--seed", help=say("help.seed", most=MAX_SEED))]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", help=say("help.max_tokens"))]
Temperature = Annotated[float | None, typer.Option("--temperature", help=say("help.temperature"))]
TopP = Annotated[float | None, typer.Option("--top-p", help=say("help.top_p"))]
TopK = Annotated[int | None, typer.Option("--top-k", help=say("help.top_k"))]
Steps = Annotated[int | None, typer.Option("--steps", help=say("help.steps"))]
Guidance = Annotated[float | None, typer.Option("--guidance", help=say("help.guidance"))]
Count = Annotated[int, typer.Option("--count", "-n", help=say("help.count"))]
Negative = Annotated[str, typer.Option("--negative", help=say("help.negative"))]
Prompt = Annotated[str, typer.Argument(metavar="PROMPT", show_default=False, help=say("help.prompt"))]
