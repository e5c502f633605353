"""`campaign sandbox`: serve the stand-in for the provider's API until Ctrl-C."""

import inspect
from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any

import typer

from runner.base import output
from runner.cli.console import print_stderr
from runner.sandbox.options import SandboxOptions, flag_of


def command(**given: Any) -> int:  # noqa: ANN401 (each flag has its own type)
    """Serve a stand-in for the provider. Nothing reaches a phone."""
    from runner.sandbox.process import serve

    def on_ready(base_url: str) -> None:
        typer.echo(f"sandbox listening on {base_url}")
        print_stderr(f"in another terminal:  export EIGHTXEIGHT_BASE_URL={base_url} EIGHTXEIGHT_API_KEY=any")
        print_stderr("press Ctrl-C to stop")

    output.hurry()
    serve(SandboxOptions.from_flags(given), on_ready)
    return 0


def _flags() -> Iterator[inspect.Parameter]:
    """One flag for each option that the sandbox declares."""
    for each in fields(SandboxOptions):
        how = each.metadata
        yield inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=how.get("flag_default", each.default),
            annotation=Annotated[how.get("kind", each.type), typer.Option(flag_of(each), help=how["help"])],
        )


# Typer reads a command's options from here.
command.__signature__ = inspect.Signature([*_flags()])  # type: ignore[attr-defined]
