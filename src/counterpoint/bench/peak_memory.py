"""The most memory that was held while something ran, weights included."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path
from types import TracebackType

import torch

MEBIBYTE = 2**20


class PeakMemory:
    """Measures the body of a `with`; `mebibytes` is there when it ends.

    On a CUDA device it is what torch had allocated there; on the CPU what the whole process had in main memory,
    which Linux alone tells. None where nobody tells, never 0.

    Args:
        device: Where the body computes.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.mebibytes: float | None = None

    def __enter__(self) -> PeakMemory:
        self._is_told = self._start_anew()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_told:
            return
        if self.device.type == "cuda":
            self.mebibytes = torch.cuda.max_memory_allocated(self.device) / MEBIBYTE
        else:
            status = Path("/proc/self/status").read_text().splitlines()
            self.mebibytes = int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024

    def _start_anew(self) -> bool:
        """Start the high-water mark from what is held now; return whether there is one."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return True
        if self.device.type != "cpu" or platform.system() != "Linux":
            return False
        ctypes.CDLL(None).malloc_trim(0)  # what earlier work gave back to the allocator, but not to the system
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return False
        return True
