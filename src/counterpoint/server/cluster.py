"""How many replicas `counterpoint serve --ray` starts, and what each takes; known without Ray."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.interfaces import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Number and size of the replicas.

    Raises:
        InvalidInput: There cannot be so many, or so little of a machine.
    """

    replicas: int = 1
    cpus: float = 1.0
    """Cores that a replica reserves; a fraction where several share one."""
    gpus: float | None = None
    """GPUs of a replica, a fraction where several share one; None = one where the cluster has any."""

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise InvalidInput("replicas", self.replicas, "a whole number from 1")
        if not 0.0 < self.cpus < float("inf"):
            raise InvalidInput("replica_cpus", self.cpus, "a number above 0")
        if self.gpus is not None and not 0.0 <= self.gpus < float("inf"):
            raise InvalidInput("replica_gpus", self.gpus, "a number from 0")
