"""The sweep sees every picture pipeline of the installed diffusers, and has a reason for each that is refused."""

from __future__ import annotations

import json

import diffusers
import pytest
from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.families import families, family_of
from counterpoint.families.sweep import sweep, unavailable
from counterpoint.interfaces import InvalidInput

ENTRIES = {entry.pipeline: entry for entry in sweep()}


def test_all_supported_classes_of_pictures_are_in_it() -> None:
    supported = {name for family in families() if not family.is_video for name in family.pipelines}
    assert supported == {name for name, entry in ENTRIES.items() if entry.family is not None}


def test_no_class_is_left_out_for_want_of_a_library() -> None:
    """Kolors is only a name without sentencepiece, and would not be counted."""
    assert unavailable() == {} and "KolorsPipeline" in ENTRIES


def test_it_counts_pictures_only() -> None:
    assert {"LongCatImagePipeline", "HiDreamImagePipeline", "StableUnCLIPPipeline"} <= ENTRIES.keys()
    for name in ("WanPipeline", "StableAudioPipeline", "KandinskyPriorPipeline", "ShapEPipeline", "DDPMPipeline"):
        assert hasattr(diffusers, name) and name not in ENTRIES


def test_text_alone_and_a_picture_besides_are_told_apart() -> None:
    assert ENTRIES["FluxPipeline"].takes == ENTRIES["StableDiffusionPipeline"].takes == "text"
    assert ENTRIES["FluxImg2ImgPipeline"].takes == ENTRIES["ZImageControlNetPipeline"].takes == "text and a picture"


@pytest.mark.parametrize("name", sorted(name for name, entry in ENTRIES.items() if entry.family is None))
def test_a_refused_class_is_refused_by_the_wrapper_for_that_reason(name: str) -> None:
    cls = getattr(diffusers, name)
    with pytest.raises(InvalidInput) as caught:
        family_of(object.__new__(cls))
    assert ENTRIES[name].reason and ENTRIES[name].reason in str(caught.value)


def test_the_command_prints_all_of_them() -> None:
    done = CliRunner().invoke(app, ["families", "--sweep", "--json"])
    rows = {row["pipeline"]: row for row in json.loads(done.stdout)}
    assert ENTRIES.keys() <= rows.keys()
    assert all(rows[name]["note"] == entry.reason for name, entry in ENTRIES.items() if entry.family is None)
    assert "cannot" in CliRunner().invoke(app, ["families", "--sweep"]).stdout.splitlines()[-1]
