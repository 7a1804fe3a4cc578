"""A small test bench: Verilog with one data input and one data output, both with valid and ready, under Verilator."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from lablib.hls import build
from lablib.hls.engines import Package

_VERILATOR = Package("verilator", "verilator", "simulate RTL")

_MAIN = r"""
#include "Vbench.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
// One line a vector goes in, 32-bit words in hexadecimal; one line for each output accepted comes out.
int main(int, char** arguments) {
    Vbench top;
    long cycles = atol(arguments[1]), n = atol(arguments[2]);
    unsigned stall = atoi(arguments[3]), seed = 1;
    auto *vectors = new unsigned[n * IN_WORDS];
    for (long i = 0; i < n * IN_WORDS; i++) if (scanf("%x", &vectors[i]) != 1) return 1;
    top.rst = 1; top.in_vld = 0; top.out_rdy = 0;
    for (int i = 0; i < 4; i++) { top.clk = 0; top.eval(); top.clk = 1; top.eval(); }
    top.rst = 0;
    long next = 0;
    for (long cycle = 0; cycle < cycles; cycle++) {
        seed = seed * 1664525u + 1013904223u;
        top.clk = 0;
        top.in_vld = next < n && !(stall && (seed >> 29) == 0);
        top.out_rdy = !(stall && (seed >> 30) == 0);
        if (next < n) memcpy(&top.in, vectors + next * IN_WORDS, 4 * IN_WORDS);
        top.eval();
        bool taken = top.in_vld && top.in_rdy;
        if (top.out_vld && top.out_rdy) {
            printf("%ld ", cycle);
            for (int i = OUT_WORDS - 1; i >= 0; i--) printf("%08x", top.out[i]);
            printf("\n");
        }
        top.clk = 1; top.eval();
        next += taken;
    }
}
"""


def simulate(
    verilog: str, body: str, in_bits: int, out_bits: int, words: list[int], stall: bool = False, cycles: int = 0
) -> list[tuple[int, int]]:
    """Feed one word a cycle from cycle 0; for each output its cycle and its bits.

    ``body`` is the inside of a module with ports clk, rst, in, in_vld, in_rdy, out, out_vld, out_rdy: it holds the
    device under test.
    """
    # Of 96 bits at least: Verilator then has arrays of words for both.
    ins, outs = (max(3, (bits + 31) // 32) for bits in (in_bits, out_bits))
    bench = (
        f"module bench(input clk, input rst, input [{32 * ins - 1}:0] in, input in_vld, output in_rdy,"
        f" output [{32 * outs - 1}:0] out, output out_vld, input out_rdy);\n{body}\nendmodule\n"
    )
    main = f"#define IN_WORDS {ins}\n#define OUT_WORDS {outs}\n{_MAIN}"
    program = build.built("testbench", {"verilog": verilog, "bench": bench, "main": main}, _Maker(verilog, bench, main))
    mask = 0xFFFFFFFF
    given = "\n".join(" ".join(f"{(word >> (32 * i)) & mask:x}" for i in range(ins)) for word in words)
    command = [program / "bench", str(cycles or 2 * len(words) + 100), str(len(words)), str(int(stall))]
    said = build.run(command, program, 60.0, "simulating", given=given)
    pairs = (line.split() for line in said.splitlines())
    return [(int(cycle), int(bits, 16) & ((1 << out_bits) - 1)) for cycle, bits in pairs]


class _Maker:
    def __init__(self, verilog: str, bench: str, main: str) -> None:
        self.verilog, self.bench, self.main = verilog, bench, main

    def __call__(self, folder: Path) -> None:
        root = Path(str(_VERILATOR.require().__file__)).parent
        (folder / "dut.v").write_text(self.verilog)
        (folder / "bench.v").write_text(self.bench)
        (folder / "main.cpp").write_text(self.main)
        flags = ["--cc", "-Wno-fatal", "-Wno-lint", "-Wno-style", "--top-module", "bench", "-Mdir", "o", "bench.v"]
        build.run([root / "bin" / "verilator", *flags, "dut.v"], folder, 120.0, "verilating", _environment(root))
        # One file: Verilator's headers are most of the work.
        sources = sorted(path.relative_to(folder) for path in folder.glob("o/*.cpp"))
        (folder / "all.cpp").write_text("".join(f'#include "{source}"\n' for source in [*sources, "main.cpp"]))
        build.run(
            [
                "g++",
                "-O0",
                "-std=c++17",
                *_include(root),
                "-Io",
                "-I.",
                "all.cpp",
                *runtime(root),
                "-pthread",
                "-o",
                "bench",
            ],
            folder,
            120.0,
            "compiling",
        )


def runtime(root: Path) -> list[Path]:
    """Objects of Verilator's own library, compiled once for all benches."""

    def make(folder: Path) -> None:
        names = ("verilated", "verilated_threads")
        sources = [root / "include" / f"{name}.cpp" for name in names]
        build.run(["g++", "-O0", "-std=c++17", "-c", *_include(root), *sources], folder, 300.0, "compiling the library")

    return sorted(build.built("testbench-runtime", {"verilator": version("verilator")}, make).glob("*.o"))


def _include(root: Path) -> list[str]:
    return [f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]


def _environment(root: Path) -> dict[str, str]:
    return {"VERILATOR_ROOT": str(root)}
