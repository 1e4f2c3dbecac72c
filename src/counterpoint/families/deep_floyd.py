"""DeepFloyd IF, its first stage: T5, drawing pixels of 64 x 64."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="DeepFloyd IF",
    pipelines=("IFPipeline",),
    note="the first stage; the others enlarge what it draws; no callback_on_step_end",
)
