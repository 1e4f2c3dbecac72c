"""Write docs/cli.md from the commands themselves, so that the page cannot say what they do not.

python scripts/cli_reference.py           # write it
python scripts/cli_reference.py --check   # exit 1 where it is not current
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from counterpoint.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """# Command line

<!-- Written by scripts/cli_reference.py; do not edit. -->

Results go to stdout, progress and logs to stderr. Exit codes: 0 done, 2 wrong usage or input, 3 blocked as unsafe (or
a safety step failed), 4 some pictures or verdicts of several are missing.
"""


def render() -> str:
    """Return the page."""
    root = typer.main.get_command(app)
    root.name = "counterpoint"
    sections = [_section(command, context) for command, context in _commands(root, None)]
    return HEAD + "\n" + "\n\n".join(sections) + "\n"


def _commands(command: Any, parent: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every command with its context, groups before what they hold."""
    context = command.context_class(command, info_name=command.name, parent=parent)
    yield command, context
    for name in getattr(command, "commands", {}):
        yield from _commands(command.commands[name], context)


def _section(command: Any, context: Any) -> str:
    title = f"## {context.command_path}" if not hasattr(command, "commands") else f"## {context.command_path} ..."
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [title, _text(command.help or ""), f"```text\n{usage}\n```"]
    rows = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    if rows:
        table = "\n".join(f"| `{_cell(name)}` | {_cell(what)} |" for name, what in rows)
        parts.append(f"| argument or option | what it says |\n|---|---|\n{table}")
    if hasattr(command, "commands"):
        parts.append("Commands: " + ", ".join(f"`{name}`" for name in command.commands) + ".")
    if command.epilog:
        parts.append(_text(command.epilog))
    return "\n\n".join(part for part in parts if part)


def _text(text: str) -> str:
    """Return a docstring's text; lines that show a command become code."""
    paragraphs = [" ".join(part.split()) for part in text.replace("\b", "").split("\n\n")]
    return "\n\n".join(f"`{part}`" if part.startswith("counterpoint ") else part for part in paragraphs if part)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def main() -> int:
    """Write or check the page; return the exit code."""
    text = render()
    if "--check" in sys.argv[1:]:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
