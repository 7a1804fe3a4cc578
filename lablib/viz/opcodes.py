"""Which lines of a compiler stage decide a kernel's speed: matrix units, memory, barriers."""

from __future__ import annotations

import re

KINDS = {
    "matrix": "Matrix units",
    "global": "Global memory",
    "shared": "Shared memory",
    "spill": "Spills",
    "barrier": "Barriers, waits",
    "special": "exp, log, sqrt",
}
"""Kinds of instruction and what a reader calls them."""

# SASS: the whole opcode without its modifiers. Elsewhere: a part of the line.
_SASS = {
    "matrix": r"[HIDBQO]MMA|[HIBQ]GMMA|UTC[HIQO]+MMA",
    "barrier": r"BAR|DEPBAR|LDGDEPBAR|MEMBAR|FENCE|SYNCS|WARPSYNC|WARPGROUP|UTCBAR|ERRBAR|UTMACMDFLUSH",
    "spill": r"LDL|STL",
    "global": r"LDG|STG|LDGSTS|LD|ST|ATOM|ATOMG|RED|UTMALDG|UTMASTG|UTMAREDG|UTMAPF|UBLKCP|UBLKRED|CCTL",
    "shared": r"LDS|STS|LDSM|STSM|ATOMS|LDTM|STTM|UTCCP|STAS",
    "special": r"MUFU",
}
_TRITON = {
    "matrix": r"\btt\.dot|\bttng\.(warp_group_dot(?!_wait)|tc_gen5_mma)",
    "barrier": r"barrier|async_wait|async_commit_group|\bttng\.(fence|warp_group_dot_wait)|tma_store_wait",
    "global": r"\btt\.(load|store|atomic|descriptor_)|async_copy_global|async_tma_(copy|gather|reduce)",
    "shared": r"\bttg\.local_(alloc|load|store)|\bttng\.tmem_(alloc|load|store|copy)",
    "special": r"\bmath\.(exp|log|sqrt|rsqrt|sin|cos|tanh|erf)",
}
_PTX = {
    "matrix": r"\b(mma|wmma)\.|wgmma\.mma_async|tcgen05\.mma",
    "barrier": r"\b(bar|m?barrier|membar|fence)\.|\b(wgmma|tcgen05|cp\.async)(\.bulk)?\.(fence|commit|wait)",
    "spill": r"\b(ld|st)\.local",
    "global": r"\b(ld|st|atom|red|prefetch)(\.\w+)*\.global|\bcp\.async|cp\.reduce",
    "shared": r"\b(ld|st|atom|red)(\.\w+)*\.shared|\b(ldmatrix|stmatrix)|tcgen05\.(ld|st|cp|alloc)",
    "special": r"\b(ex2|lg2|rcp|sqrt|rsqrt|sin|cos|tanh)\.",
}
_LLVM = {
    "matrix": r"nvvm\.(w?mma|wgmma\.mma|tcgen05\.mma)|" + _PTX["matrix"],
    "barrier": r"nvvm\.(barrier|mbarrier|fence|membar)|" + _PTX["barrier"],
    "spill": _PTX["spill"],
    "global": r"\b(load|store|atomicrmw|cmpxchg)\b.*addrspace\(1\)|nvvm\.cp\.async|" + _PTX["global"],
    "shared": r"\b(load|store|atomicrmw)\b.*addrspace\(3\)|nvvm\.(ldmatrix|stmatrix)|" + _PTX["shared"],
    "special": r"nvvm\.(ex2|lg2|rcp|sqrt|rsqrt)|llvm\.(exp|log|sqrt)|" + _PTX["special"],
}  # fmt: skip

_OPCODE = re.compile(r"^\s*(?:/\*[0-9a-f]+\*/)?\s*(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)\b")
_NO_INSTRUCTION = re.compile(r"^\s*(?://|\.|#|declare\b|attributes\b|;|!)")
_PATTERNS = {"ttir": _TRITON, "ttgir": _TRITON, "llir": _LLVM, "ptx": _PTX}
_COMPILED = {
    stage: {kind: re.compile(pattern) for kind, pattern in patterns.items()} for stage, patterns in _PATTERNS.items()
}
_COMPILED_SASS = {kind: re.compile(pattern) for kind, pattern in _SASS.items()}


def kind_of_opcode(opcode: str) -> str:
    """Return the kind of a SASS opcode without modifiers, a key of `KINDS`, or ``""``.

    Examples
    --------
    >>> kind_of_opcode("HGMMA"), kind_of_opcode("LDGSTS"), kind_of_opcode("IMAD")
    ('matrix', 'global', '')
    """
    return next((kind for kind, pattern in _COMPILED_SASS.items() if pattern.fullmatch(opcode)), "")


def kind_of_line(stage: str, line: str) -> str:
    """Return the kind of instruction that a line of a stage holds, a key of `KINDS`, or ``""``.

    Parameters
    ----------
    stage
        ``"ttir"``, ``"ttgir"``, ``"llir"``, ``"ptx"`` or ``"sass"``; of any other, no line has a kind.
    line
        Its text.

    Examples
    --------
    >>> kind_of_line("ptx", "    ld.global.v4.b32 { %r1, %r2, %r3, %r4 }, [ %rd1 + 0 ];")
    'global'
    """
    if stage == "sass":
        opcode = _OPCODE.match(line)
        return kind_of_opcode(opcode[1]) if opcode else ""
    if _NO_INSTRUCTION.match(line):
        return ""
    return next((kind for kind, pattern in _COMPILED.get(stage, {}).items() if pattern.search(line)), "")
