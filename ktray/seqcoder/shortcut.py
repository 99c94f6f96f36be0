"""The last layer of a GPT-2 for the tokens that are trained on alone: five in six are a prompt's, whose last
hidden state nobody reads. They still are what the others attend to, so their keys and values are made."""

from __future__ import annotations

from typing import Any


def states_in_rows(model: Any, ids: Any, rows: Any) -> Any:
    """Return the last hidden states of the tokens in `rows` (bool, the shape of `ids`), as the whole GPT-2
    would make them, in the order of `hidden[rows]`, shape (tokens in rows, width)."""
    import torch

    trunk = model.transformer
    hidden = trunk.wte(ids) + trunk.wpe(torch.arange(ids.shape[1], device=ids.device))
    for block in trunk.h[:-1]:
        hidden = block(hidden)
    places, real = _places(rows)
    return trunk.ln_f(_last(trunk.h[-1], hidden, places)[real])


def _places(rows: Any) -> tuple[Any, Any]:
    """Return the positions of each row's chosen tokens, padded with 0 to the longest, and which are real."""
    import torch

    counts = rows.sum(1)
    real = torch.arange(int(counts.max()), device=rows.device) < counts[:, None]
    places = torch.zeros(real.shape, dtype=torch.long, device=rows.device)
    places[real] = rows.nonzero()[:, 1]
    return places, real


def _last(block: Any, hidden: Any, places: Any) -> Any:
    """Return what a block makes of the tokens at `places`, shape (n, most, width)."""
    import torch

    width, heads = hidden.shape[2], block.attn.num_heads
    normed, chosen = block.ln_1(hidden), places[:, :, None].expand(-1, -1, width)
    weight, bias = block.attn.c_attn.weight, block.attn.c_attn.bias
    query = normed.gather(1, chosen) @ weight[:, :width] + bias[:width]
    key, value = (normed @ weight[:, width:] + bias[width:]).split(width, dim=2)
    seen = torch.arange(hidden.shape[1], device=hidden.device) <= places[:, None, :, None]
    with torch.autocast(hidden.device.type, enabled=False):
        attended = torch.nn.functional.scaled_dot_product_attention(
            *(_by_head(part.float(), heads) for part in (query, key, value)), attn_mask=seen
        )
    joined = attended.transpose(1, 2).reshape(query.shape)
    made = hidden.gather(1, chosen) + block.attn.c_proj(joined)
    return made + block.mlp(block.ln_2(made))


def _by_head(part: Any, heads: int) -> Any:
    n, length, width = part.shape
    return part.view(n, length, heads, width // heads).transpose(1, 2)
