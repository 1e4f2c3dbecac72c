"""The short way through a BERT gives what transformers' long one does."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import BertModel

from counterpoint.detectors.bert import Bert
from counterpoint.embedded import embedded_model_path


def test_it_reads_as_transformers_does_with_padding_and_without() -> None:
    folder = Path(embedded_model_path()) / "text_encoder"
    model = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()
    ids = torch.randint(1000, 20000, (3, 12), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(12) < torch.tensor([[12], [7], [2]])
    encoder = Bert(model)
    for rows in (slice(0, 1), slice(0, 3)):
        with torch.no_grad():
            expected = model(input_ids=ids[rows], attention_mask=mask[rows].long()).last_hidden_state
        read = encoder(ids[rows], mask[rows])
        torch.testing.assert_close(read[mask[rows]], expected[mask[rows]], atol=2e-5, rtol=2e-5)
