"""From a model's reply to the program in it.

The last fenced code block if there is one; else the published rule: what follows "that generates the
sequence is:", without fences, up to `###`, after the last line that is just `python`.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)
_OPEN_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*)\Z", re.MULTILINE | re.DOTALL)
_LEAD_IN = "that generates the sequence is:"
_END = "###"


def extract_program(reply: str) -> str | None:
    """Return the program text in `reply`, or None where there is none."""
    fenced = _FENCE.findall(reply)
    text = fenced[-1] if fenced else _by_lead_in(reply)
    text = text.strip("\n").rstrip()
    return text or None


def _by_lead_in(reply: str) -> str:
    _, found, after = reply.rpartition(_LEAD_IN)
    text = after if found else reply
    text = text.split(_END, 1)[0]
    opened = _OPEN_FENCE.search(text)
    if opened:
        text = opened.group(1)
    text = text.replace("```", "")
    return text.rsplit("python\n", 1)[-1] if "python\n" in text else text
