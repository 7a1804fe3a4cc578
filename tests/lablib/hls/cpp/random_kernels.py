"""Random kernels of the subset, as hypothesis draws them: every one compiles, and no index leaves its array."""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.lablib.hls.cpp.kernels import HEAD

_INTEGERS = ["ap_int<8>", "ap_uint<5>", "ap_int<13>", "ap_uint<16>", "int", "short", "unsigned char", "bool"]
_MODES = ["", ", AP_RND, AP_SAT", ", AP_TRN_ZERO, AP_SAT_ZERO", ", AP_RND_CONV, AP_SAT_SYM", ", AP_RND_INF",
          ", AP_RND_MIN_INF, AP_SAT", ", AP_RND_ZERO, AP_WRAP", ", AP_TRN, AP_SAT"]  # fmt: skip
_FIXED = ["ap_fixed<12, 5", "ap_fixed<8, 8", "ap_ufixed<9, 3", "ap_fixed<16, 2"]
_APART = 6
_PRAGMAS = [
    "", "PIPELINE", "PIPELINE II=1", "PIPELINE II=2", "UNROLL", "UNROLL factor=2", "UNROLL factor=3",
    "PIPELINE II=1\n    #pragma HLS UNROLL factor=2", "PIPELINE off",
]  # fmt: skip


@dataclass
class Scope:
    """What a kernel has declared so far: scalars and indices by name, arrays with their length."""

    draw: st.DrawFn
    scalars: list[str] = field(default_factory=list)
    arrays: dict[str, int] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    writable: list[str] = field(default_factory=list)
    indices: dict[str, tuple[int, int]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)

    def pick(self, options: list[str]) -> str:
        """One of them."""
        return self.draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        """A number between them, both included."""
        return self.draw(st.integers(low, high))


def drawn(count: int, seed: int) -> list[str]:
    """So many different kernels."""
    found: dict[str, None] = {}

    @hypothesis.seed(seed)
    @settings(
        max_examples=_APART * count, phases=[Phase.generate], deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(kernels())
    def draw(source: str) -> None:
        found[source] = None

    draw()
    # Neighbours are alike, since hypothesis varies what it has drawn.
    return list(found)[::-1][:: max(len(found) // count, 1)][:count]


@st.composite
def kernels(draw: st.DrawFn) -> str:
    """The source of a kernel whose top is ``kernel``."""
    scope = Scope(draw)
    parameters, pragmas = [], []
    for number in range(draw(st.integers(2, 4))):
        name, kind, length = f"a{number}", _type(scope), draw(st.sampled_from([4, 6, 8, 12]))
        written = number == 0 or draw(st.booleans())
        parameters.append(f"{'' if written else 'const '}{kind} {name}[{length}]")
        scope.arrays[name], scope.types[name] = length, kind
        if written:
            scope.writable.append(name)
        pragmas += _partition(scope, name, length)
    for number in range(draw(st.integers(0, 2))):
        name, kind = f"p{number}", _type(scope)
        reference = draw(st.booleans())
        parameters.append(f"{kind} {'&' if reference else ''}{name}")
        scope.scalars.append(name)
        scope.types[name] = kind
        if reference:
            scope.targets.append(name)
    if draw(st.integers(0, 3)) == 0:
        pragmas.append(f"  #pragma HLS ALLOCATION operation instances=mul limit={draw(st.integers(1, 2))}\n")
    body = []
    for number in range(draw(st.integers(1, 3))):
        name, kind = f"v{number}", _type(scope)
        body.append(f"  {kind} {name} = {_cast(kind, _expression(scope, 1))};\n")
        scope.scalars.append(name)
        scope.targets.append(name)
        scope.types[name] = kind
    table = [draw(st.integers(-60, 60)) for _ in range(8)]
    scope.arrays["T"], scope.types["T"] = 8, "ap_int<7>"
    for _ in range(draw(st.integers(1, 3))):
        body += _loop(scope, 0) if draw(st.integers(0, 3)) else _statements(scope, 1)
    text = "".join([*pragmas, *body])
    words = ", ".join(map(str, table))
    return f"{HEAD}const ap_int<7> T[8] = {{{words}}};\nvoid kernel({', '.join(parameters)}) {{\n{text}}}\n"


def _type(scope: Scope) -> str:
    if scope.number(0, 2):
        return scope.pick(_INTEGERS)
    return scope.pick(_FIXED) + scope.pick(_MODES) + ">"


def _cast(kind: str, expression: str) -> str:
    return f"({kind})({expression})"


def _partition(scope: Scope, name: str, length: int) -> list[str]:
    how = scope.pick(["", "", "complete", "cyclic factor=2", "cyclic factor=4", "block factor=2", "block factor=3"])
    return [f"  #pragma HLS ARRAY_PARTITION variable={name} {how}\n"] if how else []


def _index(scope: Scope, length: int) -> str:
    """An index inside an array: from the loops' counters, from data, or a constant."""
    fitting = [name for name, (low, high) in scope.indices.items() if low >= 0 and high < length]
    choice = scope.number(0, 5)
    if fitting and choice > 1:
        name = scope.pick(fitting)
        low, high = scope.indices[name]
        more = scope.number(-low, length - 1 - high) if choice > 3 else 0
        mirrored = choice == 3
        return f"{length - 1} - {name}" if mirrored else f"{name} + {more}" if more > 0 else f"{name} - {-more}"
    power = 1 << (length.bit_length() - 1)
    whole = [one for one in scope.scalars if "fixed" not in scope.types[one] and scope.types[one] != "bool"]
    if choice == 1 and whole:
        return f"(unsigned)({scope.pick(whole)} & {min(power, length) - 1})"
    return str(scope.number(0, length - 1))


def _leaf(scope: Scope) -> str:
    choice = scope.number(0, 6)
    if choice < 3:
        name = scope.pick(list(scope.arrays))
        return f"{name}[{_index(scope, scope.arrays[name])}]"
    if choice < 5 and scope.scalars:
        return scope.pick(scope.scalars)
    if choice == 5 and scope.indices:
        return scope.pick(list(scope.indices))
    return f"{scope.pick(['ap_int<9>', 'int', 'ap_fixed<10, 6>', 'ap_uint<4>'])}({scope.number(-9, 15)})"


def _expression(scope: Scope, depth: int) -> str:
    if depth <= 0:
        return _leaf(scope)
    choice = scope.number(0, 9)
    left, right = _expression(scope, depth - 1), _expression(scope, scope.number(0, depth - 1))
    kind = scope.pick(["ap_int<11>", "int", "ap_fixed<14, 6>", "ap_uint<7>"])
    if choice < 4:
        return f"({left} {scope.pick(['+', '-', '*', '+'])} {right})"
    if choice == 4:
        return f"(ap_int<12>({left}) {scope.pick(['&', '|', '^'])} ap_int<10>({right}))"
    if choice == 5:
        return f"(ap_int<12>({left}) {scope.pick(['<<', '>>'])} {scope.number(0, 5)})"
    if choice == 6:
        sign = scope.pick(["<", ">", "<=", ">=", "==", "!="])
        return f"(({left} {sign} {right}) ? {_cast(kind, left)} : {_cast(kind, right)})"
    if choice == 7:
        return f"std::{scope.pick(['min', 'max'])}({_cast('int', left)}, {_cast('int', right)})"
    if choice == 8:
        return f"(ap_uint<9>({left}) {scope.pick(['<<', '>>'])} ap_uint<3>({right}))"
    return f"(-{_cast(kind, left)})"


def _statements(scope: Scope, depth: int) -> list[str]:
    found = []
    for _ in range(scope.number(1, 3)):
        choice = scope.number(0, 5)
        if choice == 0 and depth:
            condition = f"{_expression(scope, 1)} {scope.pick(['<', '>', '==', '!='])} {_leaf(scope)}"
            found += [f"  if ({condition}) {{\n", *_statements(scope, depth - 1), "  }"]
            found += [" else {\n", *_statements(scope, depth - 1), "  }\n"] if scope.number(0, 1) else ["\n"]
        elif choice < 3:
            name = scope.pick(scope.writable)
            target = f"{name}[{_index(scope, scope.arrays[name])}]"
            found.append(f"  {target} = {_cast(scope.types[name], _expression(scope, 2))};\n")
        elif choice == 3:
            name = scope.pick(scope.targets)
            kind = scope.types[name]
            found.append(f"  {name} = {_cast(kind, f'{name} + {_expression(scope, 1)}')};\n")
        else:
            name = scope.pick(scope.targets)
            found.append(f"  {name} = {_cast(scope.types[name], _expression(scope, 2))};\n")
    return found


def _loop(scope: Scope, depth: int) -> list[str]:
    name, trip = f"i{len(scope.indices)}", scope.number(1, 6)
    first, step = scope.number(0, 3), scope.pick(["1", "1", "2", "-1"])
    last = first + int(step) * (trip - 1)
    first, last = (first - min(last, 0), last - min(last, 0))
    up = int(step) > 0
    bound = f"{name} {'<' if up else '>'} {last + (1 if up else -1)}"
    head = f"  for (int {name} = {first}; {bound}; {name} += {step}) {{\n"
    pragma = scope.pick(_PRAGMAS)
    scope.indices[name] = (min(first, last), max(first, last))
    inner = scope.number(0, 2) if depth < 2 and "factor" not in pragma else 0
    before = _statements(scope, 1) if inner != 2 else []
    body = _loop(scope, depth + 1) if inner else []
    after = _statements(scope, 1) if inner == 1 and scope.number(0, 1) else []
    del scope.indices[name]
    return [head, f"    #pragma HLS {pragma}\n" if pragma else "", *before, *body, *after, "  }\n"]
