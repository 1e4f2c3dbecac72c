"""Options that several commands share, and what a failed command says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from counterpoint.interfaces import CounterpointError, InvalidInput, Point, SafetyFailure

EXIT_INPUT = 2
EXIT_UNSAFE = 3
EXIT_PARTIAL = 4

LARGEST_SEED = 2**53 - 1
"""Largest whole number that every JSON reader keeps exactly."""
MOST_STEPS = 1000
MOST_PICTURES = 1000

Prompt = Annotated[str, typer.Argument(help="What to draw.", show_default=False)]
Model = Annotated[
    str | None,
    typer.Option(help="Folder or hub name of a diffusers model.", show_default="the embedded model"),
]
Gate = Annotated[Path | None, typer.Option(help="File of `counterpoint calibrate`.", show_default="the standard gate")]
GatePoint = Annotated[
    Point, typer.Option(help="How much the gate's classifier alarms on: steer (most), balanced or block (least).")
]
SafePrompt = Annotated[
    str | None, typer.Option(help="What the safe stream draws.", show_default="the prompt without risky words")
]
Seed = Annotated[int | None, typer.Option(help="Seed of the first picture, from 0.", show_default="a fresh one")]
Steps = Annotated[int, typer.Option(help=f"Denoising steps, 1 to {MOST_STEPS}.")]
GuidanceScale = Annotated[
    float | None,
    typer.Option(help="Strength of the prompt, from 0; 1 = off.", show_default="the model's own"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; it holds the prompt's SHA-256, never its text.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
SavePrompt = Annotated[bool, typer.Option("--save-prompt", help="Write the prompt's text into the PNG file.")]

NoWatermark = Annotated[
    bool, typer.Option("--no-watermark", help="Leave the invisible watermark out; the metadata stays.")
]
C2paCertificate = Annotated[
    Path | None,
    typer.Option("--c2pa-certificate", help="PEM file to sign a C2PA manifest with.", show_default="no manifest"),
]
C2paKey = Annotated[
    Path | None, typer.Option("--c2pa-key", help="PEM file with the certificate's key.", show_default="no manifest")
]


def _in_full(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@contextmanager
def exit_codes(describe: Callable[[Exception], str] = _in_full) -> Iterator[None]:
    """Turn errors into one line on stderr and an exit code.

    Args:
        describe: Tells a model's own error. Its message may quote a prompt: who draws others' prompts leaves it out.
    """
    try:
        yield
    except CounterpointError as error:
        say_error(error)
        raise typer.Exit(EXIT_UNSAFE if isinstance(error, SafetyFailure) else EXIT_INPUT) from None
    except BrokenPipeError:  # the reader of stdout has gone; typer ends quietly
        raise
    except OSError as error:
        say_error(f"reading or writing failed: {error}")
        raise typer.Exit(EXIT_INPUT) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # a model's own error: no picture, one line
        say_error(f"the model failed, nothing is drawn: {describe(error)}")
        raise typer.Exit(EXIT_UNSAFE) from None


def require_between(field: str, value: int, low: int, high: int) -> None:
    """Raise InvalidInput unless low <= value <= high; typer's own message would not say the value."""
    if not low <= value <= high:
        raise InvalidInput(field, value, f"a whole number from {low} to {high}")


def say_error(error: object) -> None:
    """Print one line on stderr."""
    typer.echo(f"counterpoint: {' '.join(str(error).split())}", err=True)


def print_json(value: Any) -> None:
    """Print one JSON value in one line on stdout."""
    typer.echo(json.dumps(value, allow_nan=False))
