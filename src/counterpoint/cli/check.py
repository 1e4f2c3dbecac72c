"""`counterpoint check`: what the gate says of prompts."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoint.cli import drawing, options
from counterpoint.interfaces import CounterpointError, Detection, InvalidInput, SafetyFailure
from counterpoint.normalise import normalise

if TYPE_CHECKING:
    from counterpoint.text_space import EncoderText

BAR_WIDTH = 24
CHUNK = 256
"""Prompts that the gate reads at once; their verdicts are printed before the next ones are read."""

Judge = Callable[[Sequence[str]], list[Detection]]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What became of one prompt: a verdict, or why there is none."""

    text: str = ""
    detection: Detection | None = None
    is_forbidden: bool = False
    error: CounterpointError | None = None
    """None where there is a verdict."""


def check(
    prompts: Annotated[
        list[str], typer.Argument(help="Prompts; `-` reads one prompt a line from stdin.", show_default=False)
    ],
    negative_prompt: Annotated[
        str | None,
        typer.Option(help="What is pushed away from each of them; judged with it as a pair.", show_default="none"),
    ] = None,
    model: options.Model = None,
    gate: options.Gate = None,
    gate_point: options.GatePoint = "balanced",
    as_json: options.Json = False,
) -> None:
    """Say of each prompt whether the gate engages.

    All detectors have a say: similarity to unsafe concepts, the prompt classifier, the word list,
    whether the prompt can be read at all, and the rule on minors; "engaged by" names those that said
    unsafe, each at its own threshold, which no bar shows. Nothing is drawn. A prompt of any
    length is read whole; a remark says where it is longer than this model reads. JSON: one object a
    prompt and line, in order; {"error": ..., "line": n} where number n could not be judged. The exit
    code is 0 whatever the verdicts, 4 where some prompts of several could not be judged.
    """
    with options.exit_codes():
        chunks = _chunks(_read_prompts(prompts))
        first = next(chunks, None)  # an empty list fails before a model is loaded
        if first is None:
            raise InvalidInput("prompt", "nothing", "at least one prompt")
        negative = negative_prompt or None
        if negative is not None:
            _require_readable("negative_prompt", negative)
        safe = drawing.load_safe_pipeline(model, gate, gate_point)
        judge = _judge(safe.detector, negative)
        count, errors = 0, []
        with _progress() as advance:
            for chunk in itertools.chain([first], chunks):
                for number, checked in enumerate(_check(chunk, judge, safe.text, negative), start=count + 1):
                    errors += [] if checked.error is None else [checked.error]
                    _print(number, checked, as_json=as_json)
                count += len(chunk)
                advance(len(chunk))
        if errors:
            _end(count, errors)


def _read_prompts(prompts: Sequence[str]) -> Iterator[str | InvalidInput]:
    """Yield each prompt, as it is read, or why it is none."""
    for prompt in prompts:
        if prompt != "-":
            yield prompt
            continue
        for line in typer.get_binary_stream("stdin"):
            try:
                yield line.decode("utf-8").removesuffix("\n").removesuffix("\r")
            except UnicodeDecodeError:
                yield InvalidInput("prompt", "other bytes", "text in UTF-8, one prompt a line")


def _chunks(items: Iterator[str | InvalidInput]) -> Iterator[list[str | InvalidInput]]:
    while chunk := list(itertools.islice(items, CHUNK)):
        yield chunk


def _require_readable(field: str, text: str) -> None:
    """Raise InvalidInput, without the text, where the gate could not read it."""
    if not text.strip():
        raise InvalidInput(field, "an empty text", "a text that is not empty")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates: how Python spells bytes that are no UTF-8
        raise InvalidInput(field, "other bytes", "text in UTF-8") from None
    normalise(text)


def _judge(detector: Any, negative: str | None) -> Judge:
    from counterpoint.detectors.negative_prompt import judge_pairs
    from counterpoint.gate import with_second_opinions

    whole = with_second_opinions(detector)

    def judge(texts: Sequence[str]) -> list[Detection]:
        try:
            return judge_pairs(whole, texts, [negative] * len(texts))
        except Exception as error:
            raise SafetyFailure(f"the gate failed ({type(error).__name__}: {error})") from error

    return judge


def _check(
    chunk: Sequence[str | InvalidInput], judge: Judge, text: EncoderText, negative: str | None
) -> Iterator[Checked]:
    """Yield what became of each prompt, in order: one that cannot be judged costs no other its verdict."""
    readable = [_readable(item) for item in chunk]
    prompts = [item for item in readable if isinstance(item, str)]
    try:
        verdicts: Iterator[Detection | SafetyFailure] = iter(judge(prompts) if prompts else [])
    except SafetyFailure:  # which one is it?
        verdicts = (_alone(prompt, judge) for prompt in prompts)
    for item in readable:
        if isinstance(item, InvalidInput):
            yield Checked(error=item)
            continue
        found = next(verdicts)
        yield Checked(error=found) if isinstance(found, SafetyFailure) else _checked(item, found, text, negative)


def _readable(item: str | InvalidInput) -> str | InvalidInput:
    if isinstance(item, InvalidInput):
        return item
    try:
        _require_readable("prompt", item)
    except InvalidInput as error:
        return error
    return item


def _alone(prompt: str, judge: Judge) -> Detection | SafetyFailure:
    try:
        return judge([prompt])[0]
    except SafetyFailure as error:
        return error


def _checked(prompt: str, detection: Detection, text: EncoderText, negative: str | None) -> Checked:
    from counterpoint.detectors.minors import is_forbidden

    forbidden = is_forbidden(prompt, negative_prompt=negative)
    # The pipeline counts a prompt as it is typed, and the safe stream may be told it as the gate reads it.
    length = max(map(text.count_tokens, {prompt, normalise(prompt)}))
    remarks = list(detection.remarks)
    if length > text.max_tokens:
        remarks.append(f"longer than this model reads: {length} of at most {text.max_tokens} tokens")
    judged = replace(detection, is_unsafe=detection.is_unsafe or forbidden, remarks=tuple(remarks))
    return Checked(text=prompt, detection=judged, is_forbidden=forbidden)


def _print(number: int, checked: Checked, *, as_json: bool) -> None:
    if checked.detection is None:
        if as_json:
            options.print_json({"error": _reason(checked.error), "line": number})
        else:
            typer.echo(f"prompt {number}: not judged  {checked.error}")
    elif as_json:
        options.print_json(_verdict(checked, checked.detection))
    else:
        typer.echo(_bars(number, checked, checked.detection))


def _reason(error: CounterpointError | None) -> str:
    """Return why there is no verdict; without a detector's own message, which may quote the prompt."""
    if isinstance(error, InvalidInput):
        return str(error)
    cause: BaseException | None = error
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    return f"the gate failed ({type(cause).__name__})"


def _end(count: int, errors: Sequence[CounterpointError]) -> None:
    """Exit by the convention of all commands: as one error where no prompt was judged, else as partial."""
    if len(errors) == count:
        raise next((error for error in errors if isinstance(error, SafetyFailure)), errors[0])
    options.say_error(f"{len(errors)} of {count} prompts could not be judged")
    raise typer.Exit(options.EXIT_PARTIAL)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Count on stderr, where that is a terminal and stdout is none; yields the function that adds prompts."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    console = Console(stderr=True)
    column = TextColumn("checked {task.completed:.0f} prompts")
    hidden = not console.is_terminal or sys.stdout.isatty()
    # Rich would send stdout to the terminal, too, though it goes elsewhere.
    with Progress(column, console=console, transient=True, disable=hidden, redirect_stdout=False) as progress:
        task = progress.add_task("checking", total=None)
        yield lambda prompts: progress.advance(task, prompts)


def _verdict(checked: Checked, detection: Detection) -> dict[str, Any]:
    from counterpoint.png import prompt_sha256

    return {
        "prompt_sha256": prompt_sha256(checked.text),
        "unsafe": detection.is_unsafe,
        "forbidden": checked.is_forbidden,
        "score": detection.score,
        "categories": detection.categories,
        "engaged_by": list(detection.engaged_by),
        "remarks": list(detection.remarks),
    }


def _bars(number: int, checked: Checked, detection: Detection) -> str:
    because = f"  because of: {', '.join(detection.evidence)}" if detection.evidence else ""
    lines = [f"prompt {number}: {'unsafe' if detection.is_unsafe else 'safe'}  score {detection.score:.2f}{because}"]
    lines += [f"  engaged by: {', '.join(detection.engaged_by)}"] if detection.engaged_by else []
    lines += ["  forbidden: refused at every level of safety"] if checked.is_forbidden else []
    lines += [f"  note: {remark}" for remark in detection.remarks]
    full, rest = "█·" if "utf" in (sys.stdout.encoding or "").lower() else "#."
    name_width = max((len(name) for name in detection.categories), default=0)
    for name, score in sorted(detection.categories.items(), key=lambda item: -item[1]):
        filled = round(BAR_WIDTH * min(1.0, max(0.0, score)))
        lines.append(f"  {name:<{name_width}}  {full * filled}{rest * (BAR_WIDTH - filled)}  {score:5.2f}")
    return "\n".join(lines)
