"""A small learned map from a prompt's token embeddings to those of its safe twin.

    s = c + T(c)        T: one transformer layer, trained on pairs of unsafe and safe captions

T starts as zero, so that an untrained sanitizer is the identity. `counterpoint.training.sanitizer`
trains one for a given text encoder.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from counterpoint.interfaces import Detection, InvalidInput, SafeText
from counterpoint.text_space import StableDiffusionText

HEADS = 4
WEIGHTS = "sanitizer.safetensors"
CONFIG = "sanitizer.json"


class SanitizerMap(nn.Module):
    """c + T(c) on token embeddings.

    Args:
        width: D, a multiple of 4.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.layer = nn.TransformerEncoderLayer(
            width, HEADS, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, embeds: Tensor) -> Tensor:
        """Map (B, L, D) to (B, L, D); the identity before training."""
        mapped: Tensor = self.out(self.layer(embeds))
        return embeds + mapped

    def save_pretrained(self, folder: Path, *, fingerprint: str) -> None:
        """Write half-precision weights and the encoder that they are for."""
        folder.mkdir(parents=True, exist_ok=True)
        fields = {"width": self.width, "text_encoder": fingerprint}
        (folder / CONFIG).write_text(json.dumps(fields, indent=1) + "\n")
        save_file({name: t.half().cpu().contiguous() for name, t in self.state_dict().items()}, folder / WEIGHTS)


class Sanitizer:
    """Steer to what the map makes of the prompt's own embeddings.

    Args:
        text: Text space of the guarded pipeline.
        folder: What `counterpoint.training.sanitizer` wrote.

    Raises:
        InvalidInput: There is no sanitizer, or it was trained for another text encoder.
    """

    def __init__(self, text: StableDiffusionText, folder: str | Path) -> None:
        root = Path(folder)
        if not (root / CONFIG).is_file() or not (root / WEIGHTS).is_file():
            raise InvalidInput("folder", str(folder), f"a folder with {CONFIG} and {WEIGHTS}")
        fields = json.loads((root / CONFIG).read_text())
        if fields["text_encoder"] != text.fingerprint:
            raise InvalidInput("folder", fields["text_encoder"], f"a sanitizer trained for {text.fingerprint}")
        self.text = text
        self.map = SanitizerMap(int(fields["width"]))
        self.map.load_state_dict({name: t.float() for name, t in load_file(root / WEIGHTS).items()})
        self.map.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the mapped token embeddings, (1, L, D)."""
        embeds, _ = self.text.encode([prompt])
        mapped = self.map.to(embeds.device)(embeds.float())
        return SafeText(prompt_embeds=mapped.to(embeds))
