"""A compiler stage as a person reads it: without the compiler's notes on source locations."""

from __future__ import annotations

import re

# Lines that only say where other lines came from, and debug sections.
_LOCATION_LINE = {
    "ttir": r"#loc\d*\s*=",
    "ttgir": r"#loc\d*\s*=",
    "llir": r"!\d+ = |!llvm\.",
    "ptx": r"\s*\.(loc|file)\s|\$L__tmp\d+:|\s*//\s*\S+\.py:\d+",
    "sass": r"\s*//## File ",
}
# The ends of lines that do, and the 50 blanks that nvdisasm sets around an address.
_LOCATION_END = {
    "ttir": (r"\s*loc\((#loc\d*|unknown)\)", ""),
    "ttgir": (r"\s*loc\((#loc\d*|unknown)\)", ""),
    "llir": (r", !dbg !\d+| !dbg !\d+", ""),
    "ptx": (r"\s*// \S+\.py:\d+.*$", ""),
    "sass": (r"^\s*(/\*[0-9a-f]+\*/)\s+", r"\1  "),
}
_DEBUG_SECTION = re.compile(r"\s*\.section\s+\.debug")


def readable(stage: str, text: str) -> list[tuple[int, str]]:
    """Return the lines of a stage worth reading, each with its index in the text.

    Parameters
    ----------
    stage
        ``"ttir"``, ``"ttgir"``, ``"llir"``, ``"ptx"`` or ``"sass"``; of any other, every line is returned.
    text
        As the compiler wrote it.

    Examples
    --------
    >>> readable("ttir", "%0 = tt.load %p loc(#loc3)\\n#loc3 = loc(\\"k.py\\":4:8)")
    [(0, '%0 = tt.load %p')]
    """
    skip = re.compile(_LOCATION_LINE.get(stage, r"(?!)"))
    pattern, replacement = _LOCATION_END.get(stage, (r"(?!)", ""))
    end = re.compile(pattern)
    kept: list[tuple[int, str]] = []
    for index, line in enumerate(text.splitlines()):
        if stage == "ptx" and _DEBUG_SECTION.match(line):
            break  # what follows is DWARF, not code
        if not skip.match(line):
            kept.append((index, end.sub(replacement, line).expandtabs(4).rstrip()))
    return kept
