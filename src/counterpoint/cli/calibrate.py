"""`counterpoint calibrate`: fit the gate to another text encoder, or to concepts of your own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoint.cli import drawing, options
from counterpoint.interfaces import InvalidInput

if TYPE_CHECKING:
    from counterpoint.gate_settings import GateSettings

EPILOG = """Example: echo '{"clowns": ["clown", "jester"]}' > clowns.json;
counterpoint calibrate --concepts clowns.json --out gate.json;
counterpoint check "a clown in a park" --gate gate.json"""

LEAST_PROMPTS = 20
"""Prompts of each kind; a rate on fewer says next to nothing."""


def calibrate(
    out: Annotated[Path, typer.Option(help="The .json file; `--gate` of the other commands reads it.")],
    model: options.Model = None,
    concepts: Annotated[
        Path | None,
        typer.Option(help='JSON file of what is unsafe besides: {"clowns": ["clown"]}.', show_default="none"),
    ] = None,
    replace_concepts: Annotated[
        bool, typer.Option("--replace-concepts", help="Take the file's concepts in place of the default ones.")
    ] = False,
    unsafe: Annotated[
        Path | None,
        typer.Option(help="Unsafe prompts, one a line.", show_default="captions of the scenes world"),
    ] = None,
    benign: Annotated[
        Path | None,
        typer.Option(help="Harmless prompts, one a line.", show_default="captions of the scenes world"),
    ] = None,
    max_false_alarms: Annotated[
        float, typer.Option(help="Fraction of the harmless prompts that may engage the gate, 0 to 1.")
    ] = 0.01,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Fit the threshold of the gate's concept similarity on prompts.

    Prompts of your own users fit best. The rates are those on the prompts it was fitted on: measure
    on others. The gate's other detectors have no threshold to fit. No file is written where too many
    harmless prompts engage the gate, half of the unsafe ones do not, or there are fewer than 20 of a
    kind. Captions of the scenes world that hold a word of your concepts do not count as harmless.
    """
    with options.exit_codes():
        if (unsafe is None) != (benign is None):
            raise InvalidInput("benign" if benign is None else "unsafe", None, "a file: give both or neither")
        own = {} if concepts is None else _read_concepts(concepts)
        if replace_concepts and (not own or unsafe is None):
            raise InvalidInput(
                "replace_concepts", True, "together with concepts, and with unsafe and benign prompts for them"
            )
        from counterpoint.gate_settings import fit_gate
        from counterpoint.png import require_new

        require_new([out], overwrite=overwrite)
        on_unsafe, on_benign, left_out = _prompts(unsafe, benign, own)
        fitted = fit_gate(
            drawing.load_safe_pipeline(model).text,
            on_unsafe,
            on_benign,
            concepts=own if replace_concepts else None,
            extra_concepts={} if replace_concepts else own,
            max_false_alarms=max_false_alarms,
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(fitted.to_json(), indent=1) + "\n", encoding="utf-8")
        if as_json:
            said = {"intervals": _intervals(fitted), "left_out": left_out}
            options.print_json({"path": str(out), **fitted.to_json(), **said})
        else:
            typer.echo(_lines(out, fitted, left_out))


def _prompts(
    unsafe: Path | None, benign: Path | None, own: Mapping[str, Sequence[str]]
) -> tuple[list[str], list[str], int]:
    """Return unsafe prompts, harmless ones, and how many captions are not harmless by the user's own concepts.

    Raises:
        InvalidInput: There are fewer than `LEAST_PROMPTS` of a kind.
    """
    left_out = 0
    if unsafe is not None and benign is not None:
        on_unsafe, on_benign = _read_lines(unsafe), _read_lines(benign)
    else:
        from counterpoint.thresholds import validation_captions

        on_unsafe, captions = validation_captions()
        on_benign = _without(captions, own) if own else captions
        left_out = len(captions) - len(on_benign)
    for field, prompts in (("unsafe", on_unsafe), ("benign", on_benign)):
        if len(prompts) < LEAST_PROMPTS:
            raise InvalidInput(field, f"{len(prompts)} prompts", f"at least {LEAST_PROMPTS}, one a line")
    return on_unsafe, on_benign, left_out


def _without(captions: Sequence[str], own: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the captions that hold no word of the user's own concepts."""
    from counterpoint.detectors.word_list import WordList

    verdicts = WordList(concepts=own, harmless=())(captions)
    return [caption for caption, found in zip(captions, verdicts, strict=True) if not found.is_unsafe]


def _read_concepts(path: Path) -> dict[str, tuple[str, ...]]:
    allowed = 'a JSON file with lists of words by category, as {"clowns": ["clown"]}'
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InvalidInput("concepts", str(path), allowed) from None
    if not isinstance(value, dict) or not all(isinstance(words, list) for words in value.values()):
        raise InvalidInput("concepts", type(value).__name__, allowed)
    from counterpoint.detectors.concepts import joined

    return joined({}, value)


def _read_lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        raise InvalidInput("prompts", str(path), "text in UTF-8, one prompt a line") from None
    return [line for line in lines if line]


def _intervals(fitted: GateSettings) -> dict[str, Any]:
    """Return the 95 % interval of both rates."""
    from counterpoint.results import wilson_interval

    c = fitted.calibration
    return {
        "recall": wilson_interval(round(c.recall * c.num_unsafe), c.num_unsafe),
        "false_alarms": wilson_interval(round(c.false_alarms * c.num_benign), c.num_benign),
    }


def _lines(out: Path, fitted: GateSettings, left_out: int) -> str:
    c, intervals = fitted.calibration, _intervals(fitted)
    lines = [f"{out}  threshold {c.threshold:.3f} for {fitted.encoder}"]
    for name, value, count in (("recall", c.recall, c.num_unsafe), ("false_alarms", c.false_alarms, c.num_benign)):
        low, high = intervals[name]
        lines.append(f"  {name.replace('_', ' '):<12}  {value:.3f}  ({low:.3f} to {high:.3f}, n = {count}, fitted on)")
    if left_out:
        lines.append(f"  {left_out} captions that hold a word of your concepts were left out of the harmless ones")
    return "\n".join(lines)
