"""LTX-Video: video from text, with T5."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="LTX-Video",
    pipelines=("LTXPipeline",),
    output="frames",
    num_per_prompt="num_videos_per_prompt",
    note="a report for each video",
)
