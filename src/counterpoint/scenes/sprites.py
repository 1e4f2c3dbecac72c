"""Drawings of the vocabulary, rendered from SVG files and kept in memory."""

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image


@dataclass(frozen=True)
class Sprites:
    """The sprites in one folder, each rendered once per size."""

    root: Path
    """Folder with one `<name>.svg` per sprite, as scripts/get_sprites.py leaves it."""
    _rendered: dict[tuple[str, int], Image.Image] = field(default_factory=dict, repr=False, compare=False)

    def get(self, name: str, size: int) -> Image.Image:
        """Render a sprite, or return the earlier rendering; treat it as read-only.

        Args:
            name: File name without ".svg".
            size: Side in pixels, at least 1.

        Returns:
            RGBA picture, size by size.

        Raises:
            FileNotFoundError: The folder lacks the sprite.
        """
        key = (name, size)
        if key not in self._rendered:
            self._rendered[key] = self._render(name, size)
        return self._rendered[key]

    def _render(self, name: str, size: int) -> Image.Image:
        import resvg_py  # Needed only to draw, so reading the vocabulary works without it.

        path = self.root / f"{name}.svg"
        if not path.is_file():
            raise FileNotFoundError(
                f"No sprite at {path}. Fetch the drawings with scripts/get_sprites.py and pass "
                "the folder that it prints."
            )
        png = resvg_py.svg_to_bytes(svg_string=path.read_text(encoding="utf-8"), width=size, height=size)
        return Image.open(io.BytesIO(bytes(png))).convert("RGBA")
