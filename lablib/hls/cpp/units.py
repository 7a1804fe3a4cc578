"""Operations with registers inside, in Verilog.

A product of latency n is cut into up to 2^(n-1) products by a part of its narrower operand, which are added in pairs:

    a · b = a · b[3:0] + (a · b[7:4] << 4)        one stage multiplies, the next one adds
"""

from __future__ import annotations

__all__ = ["pipelined", "span"]


def span(bits: int) -> str:
    """``[bits-1:0]``, and a space."""
    return f"[{bits - 1}:0] "


def pipelined(
    kind: str, name: str, names: list[str], widths: list[int], bits: int, latency: int
) -> tuple[list[str], list[str], str]:
    """An operation with registers: its declarations, its clocked statements, and its result."""
    if kind != "mul" or latency == 1:
        sign = {"add": "+", "sub": "-", "mul": "*"}[kind]
        lines = [f"reg signed {span(bits)}{name}_p{stage};" for stage in range(latency)]
        clocked = [f"  {name}_p0 <= {names[0]} {sign} {names[1]};"]
        clocked += [f"  {name}_p{stage} <= {name}_p{stage - 1};" for stage in range(1, latency)]
        return lines, clocked, f"{name}_p{latency - 1}"
    # The narrower operand is cut into parts; their products are added in pairs, one stage a level.
    (wide, wider), (narrow, bits_of) = sorted(zip(names, widths, strict=True), key=lambda each: -each[1])
    levels = min(latency - 1, (bits_of - 1).bit_length())
    size = -(-bits_of // 2**levels)
    lines, clocked, terms = [f"wire signed {span(bits_of)}{name}_n = {narrow};"], [], []
    for part, low in enumerate(range(0, bits_of, size)):
        high = min(low + size, bits_of)
        piece = f"{name}_n[{high - 1}:{low}]"
        number = f"$signed({piece})" if high == bits_of else f"$signed({{1'b0, {piece}}})"
        lines.append(f"reg signed {span(wider + high - low + 1)}{name}_p0_{part};")
        clocked.append(f"  {name}_p0_{part} <= {wide} * {number};")
        terms.append((f"{name}_p0_{part}", low))
    for stage in range(1, latency):
        merged = []
        for part in range(0, len(terms), 2):
            pair = terms[part : part + 2]
            base = pair[0][1]
            total = " + ".join(f"({term} <<< {low - base})" if low > base else term for term, low in pair)
            lines.append(f"reg signed {span(bits)}{name}_p{stage}_{part // 2};")
            clocked.append(f"  {name}_p{stage}_{part // 2} <= {total};")
            merged.append((f"{name}_p{stage}_{part // 2}", base))
        terms = merged
    return lines, clocked, terms[0][0]
