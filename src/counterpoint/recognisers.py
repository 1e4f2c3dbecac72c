"""Small networks that name the subject, the object and the background of a scene's picture.

Two roles, two architectures: the judge counts results and is never used by the product; the checker
may look at the product's own output. Both were trained on composed pictures only.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

Role: TypeAlias = Literal["judge", "checker"]
Head: TypeAlias = Literal["subject", "object", "background"]

HEADS: tuple[Head, ...] = ("subject", "object", "background")
NO_OBJECT = "none"
"""Object label of a picture that shows a subject alone."""


@dataclass(frozen=True, kw_only=True)
class RecogniserConfig:
    """What a saved recogniser is: its architecture and its labels."""

    role: Role
    """`judge`: residual network; `checker`: depthwise network."""
    subjects: tuple[str, ...]
    """Labels of the subject head."""
    objects: tuple[str, ...]
    """Labels of the object head; holds "none"."""
    backgrounds: tuple[str, ...]
    """Labels of the background head."""
    widths: tuple[int, ...]
    """Channels of each stage, each a multiple of 8; each stage halves the picture."""

    def labels(self, head: Head) -> tuple[str, ...]:
        """Labels of one head, in the order of its outputs."""
        match head:
            case "subject":
                return self.subjects
            case "object":
                return self.objects
            case "background":
                return self.backgrounds


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one picture shows, by one recogniser."""

    subject: str
    """Most probable subject."""
    object: str
    """Most probable object, or "none"."""
    background: str
    """Most probable background."""
    subject_probability: float
    """Probability of `subject`, in [0, 1]."""
    object_probability: float
    """Probability of `object`, in [0, 1]."""
    background_probability: float
    """Probability of `background`, in [0, 1]."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the first may halve the picture."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        """Build the block.

        Args:
            inputs: Channels in.
            outputs: Channels out, a multiple of 8.
            stride: 1, or 2 to halve the picture.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.GroupNorm(8, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.GroupNorm(8, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to (B, C', H / stride, W / stride)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return functional.relu(y + self.shortcut(x))


class DepthwiseBlock(nn.Module):
    """One 7x7 filter per channel, then a two-layer network per pixel, beside the identity."""

    def __init__(self, width: int) -> None:
        """Build the block.

        Args:
            width: Channels in and out.
        """
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.contract = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to the same shape."""
        y: Tensor = self.contract(functional.gelu(self.expand(self.norm(self.spatial(x)))))
        return x + y


def _residual_body(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 5, 2, 2), nn.ReLU()]
    for before, after in pairwise(widths):
        layers.append(ResidualBlock(before, after, 2))
        layers.append(ResidualBlock(after, after, 1))
    return nn.Sequential(*layers)


def _depthwise_body(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 4), nn.GroupNorm(1, widths[0])]
    for number, width in enumerate(widths):
        if number:
            layers.append(nn.Conv2d(widths[number - 1], width, 2, 2))
        layers.extend((DepthwiseBlock(width), DepthwiseBlock(width)))
    return nn.Sequential(*layers)


class Recogniser(nn.Module):
    """Picture to three lists of logits: subject, object and background."""

    def __init__(self, config: RecogniserConfig) -> None:
        """Build the untrained network.

        Args:
            config: Architecture and labels.
        """
        super().__init__()
        self.config = config
        body = _residual_body if config.role == "judge" else _depthwise_body
        self.body = body(config.widths)
        # Mean and maximum: the object is small, the background is everywhere.
        width = 2 * config.widths[-1]
        self.norm = nn.LayerNorm(width)
        self.heads = nn.ModuleDict({h: nn.Linear(width, len(config.labels(h))) for h in HEADS})

    def forward(self, pictures: Tensor) -> dict[Head, Tensor]:
        """Logits of each head.

        Args:
            pictures: RGB in [0, 1], (B, 3, 128, 128).

        Returns:
            One tensor (B, labels) per head.
        """
        features = self.body(pictures * 2 - 1)
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
        pooled = self.norm(pooled)
        return {head: self.heads[head](pooled) for head in HEADS}

    @torch.no_grad()
    def read(self, pictures: Tensor) -> list[Reading]:
        """Name what each picture shows.

        Args:
            pictures: RGB in [0, 1], (B, 3, 128, 128), on the network's device.

        Returns:
            One reading per picture.
        """
        self.eval()
        best = {head: x.float().softmax(1).max(1) for head, x in self(pictures).items()}
        return [
            Reading(
                subject=self.config.subjects[int(best["subject"].indices[row])],
                object=self.config.objects[int(best["object"].indices[row])],
                background=self.config.backgrounds[int(best["background"].indices[row])],
                subject_probability=float(best["subject"].values[row]),
                object_probability=float(best["object"].values[row]),
                background_probability=float(best["background"].values[row]),
            )
            for row in range(len(pictures))
        ]

    def localise(self, pictures: Tensor, head: Head) -> Tensor:
        """Say where each picture shows what `read` names under one head.

        The features times the gradient of the best label's logit, summed over channels and cut at 0 (HiResCAM,
        Draelos and Carin 2020): what each place adds to the logit.

        Args:
            pictures: RGB in [0, 1], (B, 3, H, W), on the network's device.
            head: The head that is asked.

        Returns:
            What each place adds, from 0, (B, H, W), of the features' resolution blown up bilinearly.
        """
        self.eval()
        with torch.enable_grad():
            features = self.body(pictures * 2 - 1).detach().requires_grad_()
            pooled = self.norm(torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1))
            best = self.heads[head](pooled).amax(1).sum()
            (gradient,) = torch.autograd.grad(best, features)
        added = (gradient * features.detach()).sum(1, keepdim=True).clamp_min(0.0)  # (B, 1, h, w)
        blown_up = functional.interpolate(added, pictures.shape[-2:], mode="bilinear", align_corners=False)
        return blown_up[:, 0]

    def save_pretrained(self, folder: Path) -> None:
        """Write `config.json` and half-precision `model.safetensors` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=2) + "\n")
        state = {name: t.half().cpu().contiguous() for name, t in self.state_dict().items()}
        save_file(state, folder / "model.safetensors")

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> "Recogniser":
        """Read what `save_pretrained` wrote; the network computes in single precision.

        Args:
            folder: The folder.

        Returns:
            The recogniser, on the CPU, in evaluation mode.

        Raises:
            FileNotFoundError: A file is missing.
        """
        root = Path(folder)
        fields = json.loads((root / "config.json").read_text())
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        recogniser = cls(RecogniserConfig(**{**fields, **lists}))
        state = load_file(root / "model.safetensors")
        recogniser.load_state_dict({name: t.float() for name, t in state.items()})
        return recogniser.eval()
