"""The short way through a BERT gives what transformers' long one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertModel

from counterpoint.detectors import bert
from counterpoint.detectors.bert import MOST_TOKENS, Bert, packs
from counterpoint.embedded import embedded_model_path

LENGTHS = (12, 1, 7, 2, 34)


@pytest.fixture(scope="module")
def model() -> Any:
    folder = Path(embedded_model_path()) / "text_encoder"
    return BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()


def texts(lengths: tuple[int, ...] = LENGTHS) -> list[list[int]]:
    source = torch.Generator().manual_seed(0)
    return [torch.randint(1000, 20000, (length,), generator=source).tolist() for length in lengths]


def as_transformers_does(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        state: torch.Tensor = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
    return state


@pytest.mark.parametrize("in_order", [True, False])
def test_texts_end_to_end_are_read_as_each_alone(model: Any, in_order: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bert, "IS_LAID_IN_ORDER", in_order and bert.IS_LAID_IN_ORDER)
    encoder = Bert(model)
    read = encoder(texts())
    assert [len(state) for state in read] == [*LENGTHS]
    for state, ids in zip(read, texts(), strict=True):
        torch.testing.assert_close(state, as_transformers_does(model, ids), atol=2e-5, rtol=2e-5)
        torch.testing.assert_close(state, encoder([ids])[0], atol=2e-5, rtol=2e-5)
    assert encoder([]) == []


def test_more_texts_than_are_read_at_once_come_back_in_order(model: Any) -> None:
    some = texts((30,) * (MOST_TOKENS // 30 + 3))
    read = Bert(model)(some)
    assert len(read) == len(some)
    torch.testing.assert_close(read[-1], as_transformers_does(model, some[-1]), atol=2e-5, rtol=2e-5)


def test_packs_keep_all_texts_and_their_order() -> None:
    rows = [[number] * length for number, length in enumerate((3, 3, 9, 1, 1, 1))]
    assert [[len(row) for row in pack] for pack in packs(rows, most=6)] == [[3, 3], [9], [1, 1, 1]]
    assert [row for pack in packs(rows, most=6) for row in pack] == rows


def test_the_model_may_move_afterwards() -> None:
    folder = Path(embedded_model_path()) / "text_encoder"
    moved = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()
    encoder = Bert(moved)
    before = encoder(texts())
    moved.to(torch.float16)
    for one, other in zip(before, encoder(texts()), strict=True):
        assert torch.equal(one, other)
