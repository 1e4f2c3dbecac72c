"""The cases of the scenes world, where the measuring commands look for them."""

from counterpoint.datasets.cases import Case, Kind, scenes_cases

__all__ = ["Case", "Kind", "scenes_cases"]
