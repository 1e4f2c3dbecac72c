"""Write the table of docs/wrap-your-model.md from what `counterpoint families` prints.

python scripts/families_table.py

What was tested is `tests/families/conformance.py`'s to say; run it first where a pipeline or a claim has changed.
"""

from __future__ import annotations

from pathlib import Path

from counterpoint.families import Family, families
from counterpoint.families.conformance import conformance
from counterpoint.families.unsupported import UNSUPPORTED

PAGE = Path(__file__).parents[1] / "docs" / "wrap-your-model.md"
START, END = "<!-- families: scripts/families_table.py -->\n", "<!-- end of families -->\n"


def render() -> str:
    """Return what is claimed, what can be wrapped and how that was tested, and what cannot, with the reason."""
    record = conformance()
    rows = [f"Tested with diffusers {record.diffusers} on {record.date}, each class on a tiny pipeline with random"]
    rows += ["weights, built from configs. The claims:", "", *(f"1. {title}" for title in record.claims), ""]
    rows += ["| family | pipelines of diffusers | engines | tested | also with | note |", "|---|---|---|---|---|---|"]
    for family in families():
        for (engines, verdict, ways), names in _alike(family).items():
            classes = ", ".join(f"`{name}`" for name in names)
            rows.append(f"| {family.name} | {classes} | {engines} | {verdict} | {ways} | {family.note} |")
    rows += ["", "| refused | because |", "|---|---|"]
    rows += [f"| `{name}` | {reason} |" for name, reason in UNSUPPORTED.items()]
    return "\n".join(rows) + "\n"


def _alike(family: Family) -> dict[tuple[str, str, str], list[str]]:
    """Return the family's classes by engines, verdict on the claims, and what they were tested with besides."""
    record = conformance()
    found: dict[tuple[str, str, str], list[str]] = {}
    for name in family.pipelines:
        key = ", ".join(family.engines([name])), record.verdict(name), record.ways(name)
        found.setdefault(key, []).append(name)
    return found


def with_table(page: str) -> str:
    """Return the page with the current tables between its two marks."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{render()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
