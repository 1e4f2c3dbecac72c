"""No request has a picture written in which the invisible mark cannot be found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from counterpoint.provenance.marking import LEAST_QUALITY
from counterpoint.provenance.watermark import is_marked
from tests.server.conftest import Running, pictures_of, running


@pytest.fixture(scope="module")
def marking(tiny: Callable[[str], Any]) -> Any:
    with running(tiny, watermark=True) as one:
        yield one


@pytest.mark.parametrize(("file_format", "least"), list(LEAST_QUALITY.items()))
def test_a_quality_that_rubs_the_mark_out_is_refused_and_the_least_one_keeps_it(
    marking: Running, file_format: str, least: int
) -> None:
    for quality in (0, least - 1):
        answer = marking.draw(size="64x64", output_format=file_format, output_compression=quality)
        error = answer.json()["error"]
        assert answer.status_code == 400 and error["param"] == "output_compression"
        assert error["type"] == "invalid_request_error" and error["code"] == "invalid_value"
        assert f"got '{quality}'" in error["message"] and f"{least}..100 for {file_format}" in error["message"]
    for quality in (least, 100):
        for size in ("64x64", "128x128"):
            answer = marking.draw(size=size, output_format=file_format, output_compression=quality)
            assert answer.status_code == 200 and is_marked(pictures_of(answer)[0]), answer.text


def test_without_the_mark_every_quality_is_allowed(tiny: Callable[[str], Any]) -> None:
    with running(tiny, watermark=False) as server:
        for file_format in LEAST_QUALITY:
            assert server.draw(output_format=file_format, output_compression=0).status_code == 200
