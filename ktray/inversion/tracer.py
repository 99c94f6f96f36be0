"""The line tracer, in one self-contained function: the same text runs here and inside the sandbox.

It sees the program's own frame only, compares its variables after every line, and records differences:
whole small values, single items of lists and dicts that grow.
"""

from __future__ import annotations

from typing import Any

FILENAME = "<traced program>"


def trace_lines(
    source: str, function: str, arguments: list[Any], max_steps: int, max_text: int
) -> dict[str, Any]:
    """Execute `function` of `source` and return its steps as plain JSON values.

    `steps` is a list of [line, [[name, value], ...]], at most `max_steps` long; `dropped` counts the
    rest; a value is its repr, cut at `max_text` characters. `output` is what the function returned;
    `error` is the name of the exception where it raised one, else "".
    """
    import sys

    namespace: dict[str, Any] = {"__name__": "reference"}
    exec(compile(source, "<traced program>", "exec"), namespace)
    steps: list[Any] = []
    before: dict[str, Any] = {}
    state = {"line": 0, "dropped": 0}

    def text_of(value: Any) -> str:
        if type(value) is int and value.bit_length() > 8000:
            return f"an integer of {value.bit_length()} bits"
        text = repr(value)
        return text if len(text) <= max_text else text[:max_text] + "..."

    def differences(name: str, old: Any, new: Any) -> list[list[str]]:
        if type(new) is list and type(old) is list and new[: len(old)] == old:
            return [[f"{name}[{i}]", text_of(new[i])] for i in range(len(old), len(new))]
        if type(new) is dict and type(old) is dict and len(new) > len(old) > 0:
            changed = [key for key in new if key not in old or old[key] != new[key]]
            return [[f"{name}[{text_of(key)}]", text_of(new[key])] for key in changed]
        return [[name, text_of(new)]]

    def finish_line(local: dict[str, Any]) -> None:
        changes = []
        for name, value in local.items():
            kind = type(value)
            if kind is list or kind is dict:
                if name not in before or before[name] != value:
                    changes += differences(name, before.get(name), value)
                    # Items are compared later, so rows that a program changes in place are copied too.
                    before[name] = (
                        dict(value) if kind is dict else [list(x) if type(x) is list else x for x in value]
                    )
            elif kind in (int, str, bytes, float, bool, tuple) and (
                name not in before or before[name] != value
            ):
                changes.append([name, text_of(value)])
                before[name] = value
        if len(steps) < max_steps:
            steps.append([state["line"], changes])
        else:
            state["dropped"] += 1

    def in_function(frame: Any, event: str, _: Any) -> Any:
        if event == "line":
            if state["line"]:
                finish_line(frame.f_locals)
            state["line"] = frame.f_lineno
        elif event == "return" and state["line"]:
            finish_line(frame.f_locals)
        return in_function

    def on_call(frame: Any, _event: str, _: Any) -> Any:
        code = frame.f_code
        if code.co_name != function or code.co_filename != "<traced program>":
            return None
        before.update(frame.f_locals)
        return in_function

    output, error = None, ""
    outer = sys.gettrace()
    sys.settrace(on_call)
    try:
        output = namespace[function](*arguments)
    except Exception as raised:
        error = type(raised).__name__
    finally:
        sys.settrace(outer)
    return {"steps": steps, "dropped": state["dropped"], "output": output, "error": error}
