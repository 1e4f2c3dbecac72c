"""Wan: video from text, with UMT5."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Wan (video)",
    pipelines=("WanPipeline",),
    output="frames",
    num_per_prompt="num_videos_per_prompt",
    note="a report for each video",
)
