"""Write the table of docs/wrap-your-model.md from what `counterpoint families` prints.

python scripts/families_table.py
"""

from __future__ import annotations

from pathlib import Path

from counterpoint.families import Family, families
from counterpoint.families.unsupported import UNSUPPORTED

PAGE = Path(__file__).parents[1] / "docs" / "wrap-your-model.md"
START, END = "<!-- families: scripts/families_table.py -->\n", "<!-- end of families -->\n"


def render() -> str:
    """Return both tables: what can be wrapped, and what cannot, with the reason."""
    rows = ["| family | pipelines of diffusers | engines | note |", "|---|---|---|---|"]
    for family in families():
        for engines, names in _by_engines(family).items():
            rows.append(f"| {family.name} | {', '.join(f'`{name}`' for name in names)} | {engines} | {family.note} |")
    rows += ["", "| refused | because |", "|---|---|"]
    rows += [f"| `{name}` | {reason} |" for name, reason in UNSUPPORTED.items()]
    return "\n".join(rows) + "\n"


def _by_engines(family: Family) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in family.pipelines:
        found.setdefault(", ".join(family.engines([name])), []).append(name)
    return found


def with_table(page: str) -> str:
    """Return the page with the current tables between its two marks."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{render()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
