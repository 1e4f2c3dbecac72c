"""How far apart two spellings are."""

from __future__ import annotations

SHORTEST = 5
"""Letters from which a word may be misspelt: shorter words have too many neighbours."""


def edit_distance(a: str, b: str) -> int:
    """Return the optimal string alignment distance: letters to insert, delete, replace or swap, from 0.

    Each letter takes part in one edit at most (Damerau 1964, without repeated edits): "knfie" is 1
    from "knife".
    """
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        row = [i]
        for j, other in enumerate(b, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def allowed_edits(word: str) -> int:
    """Return how many edits still make a misspelling of `word`: 0 below 5 letters, 1 below 8, then 2."""
    return 0 if len(word) < SHORTEST else 1 if len(word) < 8 else 2


def edits_of_misspelling(text: str, word: str) -> int | None:
    """Return how many edits make `text` of `word`; None where they are more than `allowed_edits`."""
    allowed = allowed_edits(word)
    # An edit changes the length by one at most, and the set of letters by two: most words are told apart so.
    if abs(len(text) - len(word)) > allowed or len(set(text) ^ set(word)) > 2 * allowed:
        return None
    edits = edit_distance(text, word)
    return edits if edits <= allowed else None
