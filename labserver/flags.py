"""Settings as flags of a command: one for each field, made from what the field says of itself."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from labserver.settings import ENV_PREFIX, Settings


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for each field of Settings in place of its parameter `settings`."""

    @functools.wraps(command)
    def run(context: typer.Context, **arguments: Any) -> None:
        flags = {name: arguments.pop(name) for name in Settings.model_fields}
        # Only those that were given: Settings knows which of its fields were asked for.
        asked = {name: flag for name, flag in flags.items() if _given(context, name)}
        command(settings=Settings.of(**asked), **arguments)

    own = inspect.signature(command, eval_str=True).parameters.values()
    flags = [_flag(name) for name in Settings.model_fields]
    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    parameters = [context] + [p for p in own if p.name != "settings"] + flags
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _flag(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    flag = "--" + name.replace("_", "-")
    option = typer.Option(
        f"{flag}/{flag.replace('--', '--no-', 1)}" if field.annotation is bool else flag,
        help=field.description,
        envvar=f"{ENV_PREFIX}{name.upper()}",
        show_envvar=False,
        rich_help_panel=f"Server (each is also a variable: {ENV_PREFIX}PDF_WORKERS=4)",
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[field.annotation, option],
    )
