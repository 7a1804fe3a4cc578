"""A widget that shows what the compiler made of a kernel, stage by stage, beside the kernel's source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lablib.viz.opcodes import KINDS, kind_of_line, kind_of_opcode
from lablib.viz.stage_text import readable
from lablib.viz.units import plural, size
from lablib.viz.view import View, read


class CompileStages(View):
    """The widget that `compile_stages` returns; its summary has registers, spills, memory and key instructions."""

    _esm = read("view.js", "stage_viewer.js")
    _css = read("stage_viewer.css")


def compile_stages(compiled: Any) -> CompileStages:
    """Show a kernel's source beside what each stage of the compiler made of it.

    Point at a line on either side to see what it belongs to on the other; click to hold it. The stage can be
    filtered by kind of instruction and by text. The compiler's notes on source locations are left out of the
    view, which shows the locations themselves; line numbers are those of the full text in ``stages``.

    Parameters
    ----------
    compiled
        One compilation, a list of them with different targets, or a dict of them with names of your own, e.g.
        ``{"naive": ..., "fused": ...}``. Each has ``kernel``, ``target``, ``source``, ``stages`` (name to
        text), ``line_map`` (stage to the source line of each of its lines, or 0), ``registers``,
        ``spill_bytes``, ``shared_bytes``, ``num_warps`` and ``instructions`` (SASS opcode to count).

    Returns
    -------
    CompileStages
        Displays in Jupyter; ``summary`` has the figures in words, ``to_html()`` gives a page of its own.

    Raises
    ------
    ValueError
        When there is nothing to show, two of a list share a target, or a line map does not fit its stage.
    """
    named = _by_name(compiled)
    if not named:
        raise ValueError("there is nothing to show: give one compilation, a list or a dict of them")
    first = next(iter(named.values()))
    content = {
        "kernel": getattr(first, "kernel", "kernel"),
        "kinds": list(KINDS.items()),
        "names": list(named),
        "compiled": {name: _content(name, one) for name, one in named.items()},
    }
    return CompileStages(content, _summary(content["kernel"], named))


def _by_name(compiled: Any) -> dict[str, Any]:
    if isinstance(compiled, Mapping):
        return {str(name): one for name, one in compiled.items()}
    each = list(compiled) if isinstance(compiled, Sequence) else [compiled]
    named = {one.target: one for one in each}
    if len(named) < len(each):
        targets = ", ".join(one.target for one in each)
        raise ValueError(f"several compilations have the same target ({targets}): give a dict that names each")
    return named


def _content(name: str, one: Any) -> dict[str, Any]:
    counts = sorted(one.instructions.items(), key=lambda pair: -pair[1])
    kinds = list(KINDS)
    key = [(opcode, count, kind_of_opcode(opcode)) for opcode, count in counts if kind_of_opcode(opcode)]
    return {
        "target": one.target,
        "source": one.source,
        "registers": one.registers,
        "spills": size(one.spill_bytes),
        "shared": size(one.shared_bytes),
        "warps": one.num_warps,
        "instructions": sorted(key, key=lambda row: kinds.index(row[2])),
        "order": list(one.stages),
        "stages": {stage: _stage(name, stage, text, one) for stage, text in one.stages.items()},
    }


def _stage(name: str, stage: str, text: str, one: Any) -> dict[str, Any]:
    lines = text.splitlines()
    line_map = list(one.line_map.get(stage, [0] * len(lines)))
    if len(line_map) != len(lines):
        raise ValueError(
            f"line_map[{stage!r}] of {name} must have an entry for each of the stage's {len(lines)} lines, "
            f"but has {len(line_map)}"
        )  # fmt: skip
    kept = readable(stage, text)
    return {
        "lines": [line for _, line in kept],
        "numbers": [index + 1 for index, _ in kept],
        "map": [line_map[index] for index, _ in kept],
        "kinds": [kind_of_line(stage, line) for _, line in kept],
    }


def _summary(kernel: str, named: Mapping[str, Any]) -> str:
    sentences = []
    for name, one in named.items():
        key = [f"{count} {opcode}" for opcode, count in one.instructions.items() if kind_of_opcode(opcode) == "matrix"]
        memory = [(op, n) for op, n in one.instructions.items() if kind_of_opcode(op) in ("global", "shared", "spill")]
        key += [f"{count} {opcode}" for opcode, count in sorted(memory, key=lambda pair: -pair[1])[:3]]
        spills = f"{size(one.spill_bytes)} spilled" if one.spill_bytes else "no spills"
        resources = f"{one.registers} registers a thread, {spills}, {size(one.shared_bytes)} of shared memory"
        sentences.append(
            f"{name}: {resources}, {plural(one.num_warps, 'warp')}; {', '.join(key) or 'no memory access'}."
        )
    return f"{kernel}. " + " ".join(sentences)
