"""What a grader refuses to compile."""

from __future__ import annotations

import pytest

from lablib.hls.confined import confined, confined_dslx
from lablib.hls.errors import HardwareError

PLAIN = """#include "ap_int.h"
# include <ap_fixed.h>
#define TWICE 2
void f(const ap_int<8> x[4], int y[4]) {
  #pragma HLS ARRAY_PARTITION variable=x complete
  for (int i = 0; i < 4; i++) y[i] = TWICE * x[i] % 3;  // a comment
}
"""


def test_a_kernel_passes_as_it_is() -> None:
    assert confined(PLAIN) == PLAIN


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('#include "/etc/passwd"', "is not allowed: expected #include of ap_int.h"),
        ('/* // */ #include "secret.h"', "is not allowed"),
        ('%: include "secret.h"', "is not allowed"),
        ('??=include "secret.h"', "is not allowed"),
        ('#include "ap_int.h" "x"', "is not allowed"),
        ("#include HEADER", "is not allowed"),
        ('#inc\\\nlude "x"', "'\\\\\\\\' is not allowed"),
        ("#pragma clang attribute push", "is not allowed"),
        ("#if __has_include(<x>)", "is not allowed"),
        ("#define TWICE(x) x x", "is not allowed: .* or #define of a name"),
        ("#define ONE O ## NE", "is not allowed"),
        ("#define before 1", "before is in use before this line defines it"),
        ("int $finish;", "'\\$' is not allowed"),
        ("int é;", "'é' is not allowed"),
        ("int a;\x0c#include <x>", "is not allowed"),
    ],
)
def test_what_reaches_out_is_refused_at_its_line(line: str, said: str) -> None:
    with pytest.raises(HardwareError, match=f"^Line 2: .*{said}"):
        confined(f"int before;\n{line}")


def test_macros_may_not_grow_without_end() -> None:
    doubling = ["#define M0 1 + 1", *(f"#define M{n} M{n - 1} M{n - 1}" for n in range(1, 40))]
    with pytest.raises(
        HardwareError, match=r"^Line 1[0-9]: with its macros written out the text exceeds 200,000 words"
    ):
        confined("\n".join(doubling))
    with pytest.raises(HardwareError, match=r"^Line 2: M38 is in use before this line defines it"):
        confined("\n".join(reversed(doubling)))


def test_other_things_than_text_are_refused() -> None:
    with pytest.raises(HardwareError, match="as one string, got list"):
        confined(["void f() {}"])
    with pytest.raises(HardwareError, match="at most 200,000 characters"):
        confined(" " * 300_000)


@pytest.mark.parametrize("line", ['#[extern_verilog("$system(0);")]', "import std;", "let x = u8:1; $display(x)"])
def test_dslx_neither_imports_nor_carries_verilog(line: str) -> None:
    assert confined_dslx("fn imported(x: u8) -> u8 { x }") == "fn imported(x: u8) -> u8 { x }"
    with pytest.raises(HardwareError, match=r"^Line 2: .* is not allowed"):
        confined_dslx(f"fn f(x: u8) -> u8 {{ x }}\n{line}")
