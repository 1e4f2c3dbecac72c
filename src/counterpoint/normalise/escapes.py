"""HTML entities and percent escapes, as web clients send them and as some pipelines undo them."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote_to_bytes

PERCENT = re.compile(r"(?:%[0-9a-f]{2})+", re.IGNORECASE)


def unescape(text: str) -> str:
    """Undo one layer of escapes: "kn&#105;fe" and "kn%69fe" -> "knife".

    Percent signs that do not spell UTF-8 stay, so that "100%" and "50%de" keep theirs.
    """
    return PERCENT.sub(_percent, html.unescape(text))


def _percent(match: re.Match[str]) -> str:
    try:
        return unquote_to_bytes(match[0]).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]
