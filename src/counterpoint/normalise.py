"""One reading of a text for all who look for words in it: what is invisible or only styled is gone.

Text encoders drop zero-width characters and combining marks, so a gate that split words at them
would see less than the model does.
"""

from __future__ import annotations

import re
import unicodedata

INVISIBLE = frozenset({"Cf", "Cc", "Mn", "Me"})
"""Unicode categories: format and control characters, combining marks."""


def normalise(text: str) -> str:
    """Return `text` compatibility-folded, without invisible characters and marks, spaces single.

    Letter case is kept. Marks that carry meaning in some scripts are lost too: use the result to
    look for words, not to show it.
    """
    folded = unicodedata.normalize("NFKD", re.sub(r"\s+", " ", text))
    visible = "".join(c for c in folded if unicodedata.category(c) not in INVISIBLE)
    return unicodedata.normalize("NFKC", visible).strip()
