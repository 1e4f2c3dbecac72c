"""What one visitor has drawn: in memory, newest first, gone with the tab."""

from __future__ import annotations

from dataclasses import dataclass, field

from counterpoint.ui.studio import Shot, Wish

MOST_SHOTS = 32
"""Pictures that are kept; the oldest go first."""


@dataclass
class Session:
    """State of one tab."""

    shots: dict[int, Shot] = field(default_factory=dict)
    """By number, oldest first."""
    shown: Shot | None = None
    """The picture that stands on the page."""
    compared: tuple[Shot, Shot] | None = None
    """Plain and safe picture, in research mode."""
    last: int = 0
    """Number of the newest picture; numbers are never used twice."""

    def add(self, shot: Shot) -> int:
        """Keep a picture and return its number; one that is here already keeps its own."""
        for number, known in self.shots.items():
            if known is shot:
                return number
        self.last += 1
        self.shots[self.last] = shot
        while len(self.shots) > MOST_SHOTS:
            del self.shots[next(iter(self.shots))]
        return self.last

    def find(self, wish: Wish) -> Shot | None:
        """Return the picture of a wish that was granted before: the same wish gives the same picture."""
        return next((shot for shot in self.shots.values() if shot.wish == wish), None)
