"""What a run tells while it goes on: a JSONL file and a progress bar on stderr."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from counterpoint.training.config import LoopConfig, learning_rate_at

Number = int | float | str


class Log:
    """Averages scalars over `log_every` steps into a JSONL file and a progress bar on stderr."""

    def __init__(self, path: Path, console: Console, config: LoopConfig) -> None:
        """Open nothing yet; `with` does.

        Args:
            path: JSONL file that lines are added to.
            console: Where the bar is drawn; a plain line is printed if it is no terminal.
            config: Gives the number of steps and `log_every`.
        """
        self.path = path
        self.console = console
        self.config = config
        self.sums: dict[str, float] = {}
        self.count = 0
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self.bar = self.progress.add_task("", total=config.steps)
        self.since = time.monotonic()

    def __enter__(self) -> "Log":
        """Start the bar and the clock."""
        self.progress.start()
        self.since = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the bar."""
        self.progress.stop()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Take in one step; write a line when the step's number is a multiple of `log_every`."""
        for name, value in scalars.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        self.progress.update(self.bar, completed=step)
        if step % self.config.log_every and step != self.config.steps:
            return
        now = time.monotonic()
        line: dict[str, Number] = {"step": step}
        line |= {name: round(value / self.count, 6) for name, value in self.sums.items()}
        line["learning_rate"] = learning_rate_at(step - 1, self.config)
        line["seconds_per_step"] = round((now - self.since) / self.count, 4)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.progress.update(self.bar, description=f"loss {line['loss']}")
        if not self.console.is_terminal:
            self.console.print(json.dumps(line), soft_wrap=True, highlight=False)
        self.sums, self.count, self.since = {}, 0, now
