"""Weights spread over the processes of a team (FSDP), for models that one process cannot hold.

Every process must then take part in every pass: batches go round in turn, and gradients arrive summed.
"""

from __future__ import annotations

from typing import Any

from ktray.seqcoder.model import trunk
from ktray.seqcoder.team import Team


def spread(model: Any) -> Any:
    """Spread a model's layers over all processes, in place, and return it."""
    from torch.distributed.fsdp import fully_shard

    inner = trunk(model)
    for layer in getattr(inner, "layers", None) or inner.h:
        fully_shard(layer)
    return fully_shard(model)


def whole_state(model: Any, optimiser: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the whole states of a spread model and its optimiser; the first process has them, the others {}."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    found = get_state_dict(model, optimiser, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    return found[0], found[1]


def load_whole(model: Any, optimiser: Any, states: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Load whole states (all processes have them) into a spread model and its optimiser."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    set_state_dict(model, optimiser, model_state_dict=states[0], optim_state_dict=states[1], options=options)


def turns(team: Team, items: list[Any]) -> list[Any]:
    """Return this process's items, as many as every other's: short of some, the last is done again for
    nothing."""
    mine = items[team.rank :: team.size]
    most = -(-len(items) // team.size)
    return mine + [None] * (most - len(mine))
