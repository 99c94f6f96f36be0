"""The processes that train together: a shared heap of batches, sums of gradients, one after the other.

Each batch of a step goes to whichever process is free, so that a slow core holds nobody up; sums do not
depend on who did what, but for the order of rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")
#: How long a process waits for another: a run may be stopped for a while, and then goes on.
PATIENCE = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Team:
    """This process's place: `store` is torch.distributed's, None where it works alone; sums are made on
    `device`, as the backend wants them."""

    rank: int = 0
    size: int = 1
    store: Any = None
    device: str = "cpu"

    def share(self, label: str, items: Sequence[T]) -> Iterator[T]:
        """Yield items that no other process has taken under this label."""
        if self.store is None:
            yield from items
            return
        while (i := self.store.add(f"share/{label}", 1) - 1) < len(items):
            yield items[i]

    def forget(self, label: str) -> None:
        """Drop what the store knows of a label that all are done with."""
        if self.store is not None and self.rank == 0:
            self.store.delete_key(f"share/{label}")

    def sum(self, tensor: Any) -> Any:
        """Return the sum of a tensor over all processes, in place."""
        if self.store is not None:
            import torch.distributed

            moved = tensor.to(self.device)
            torch.distributed.all_reduce(moved)
            if moved is not tensor:
                tensor.copy_(moved)
        return tensor

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.store is not None:
            import torch.distributed

            torch.distributed.barrier()


def joined(backend: str, rank: int, size: int, store: Any = None, device: str = "cpu") -> Team:
    """Return the team after joining torch's process group, whose address the environment tells."""
    import torch.distributed as dist

    if size == 1 and not dist.is_initialized():
        return Team()
    if not dist.is_initialized():
        dist.init_process_group(backend, rank=rank, world_size=size, timeout=PATIENCE, store=store)
    shared = dist.PrefixStore("team", dist.distributed_c10d._get_default_store())
    shared.set_timeout(PATIENCE)
    return Team(rank, size, shared, device)
