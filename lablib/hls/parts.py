"""The parts that a design is mapped to, and what they hold.

Sources: Lattice, iCE40 LP/HX Family Data Sheet (FPGA-DS-02029), table 1.1, and iCE40 UltraPlus Family Data Sheet
(FPGA-DS-02008), table 2.1; Lattice, ECP5 and ECP5-5G Family Data Sheet (FPGA-DS-02012), table 1.1; AMD, 7 Series FPGAs
Data Sheet: Overview (DS180), table 4; AMD, Kria K26 SOM Data Sheet (DS987). Pins are those of the package,
and the numbers of an iCE40 or ECP5 are the ones that nextpnr places into.
"""

from __future__ import annotations

from dataclasses import dataclass

from lablib.hls.errors import HardwareError
from lablib.hls.report import Resources
from lablib.hls.routers import ECP5, ICE40, Router

__all__ = ["PARTS", "Part", "part_of"]


@dataclass(frozen=True)
class Part:
    """An FPGA.

    Attributes
    ----------
    name, title
        ``"hx8k"``; its name in full.
    synthesis
        The command of Yosys that maps to it.
    capacity
        What it holds.
    router
        What places it; None where a design can be counted but not placed here.
    routing
        The router's options for this part.
    """

    name: str
    title: str
    synthesis: str
    capacity: Resources
    router: Router | None = None
    routing: tuple[str, ...] = ()


def _ice40(name: str, title: str, package: str, options: str = "", **capacity: int) -> Part:
    cells = capacity["cells"]
    held = Resources(lut=cells, ff=cells, **capacity)  # a cell has one of each
    return Part(name, title, f"synth_ice40{options}", held, ICE40, (f"--{name}", "--package", package))


def _ecp5(name: str, title: str, package: str, **capacity: int) -> Part:
    return Part(name, title, "synth_ecp5", Resources(**capacity), ECP5, (f"--{name[5:]}", "--package", package))


PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        _ice40("hx1k", "iCE40 HX1K-TQ144", "tq144", cells=1280, bram=16, dsp=0, io=96),
        _ice40("hx8k", "iCE40 HX8K-CT256", "ct256", cells=7680, bram=32, dsp=0, io=206),
        _ice40("up5k", "iCE40 UP5K-SG48", "sg48", " -device u -dsp", cells=5280, bram=30, dsp=8, io=39),
        _ecp5("ecp5-25k", "ECP5 LFE5U-25F-CABGA256", "CABGA256", lut=24_288, ff=24_288, dsp=28, bram=56, io=197),
        _ecp5("ecp5-85k", "ECP5 LFE5U-85F-CABGA756", "CABGA756", lut=83_640, ff=83_640, dsp=156, bram=208, io=365),
        Part(
            "xc7a35t",
            "Artix-7 XC7A35T",
            "synth_xilinx -family xc7 -flatten",
            Resources(lut=20_800, ff=41_600, dsp=90, bram=50),
        ),
        Part(
            "xck26",
            "Zynq UltraScale+ XCK26 of the Kria K26",
            "synth_xilinx -family xcup -flatten",
            Resources(lut=117_120, ff=234_240, dsp=1_248, bram=144),
        ),
    )
}
"""By name: three iCE40 and two ECP5 that can be placed and routed, and two for counts."""


def part_of(name: str) -> Part:
    """The part of that name.

    Raises
    ------
    HardwareError
        There is none.

    Examples
    --------
    >>> part_of("hx8k").capacity.bram
    32
    """
    if name not in PARTS:
        raise HardwareError(f"There is no part {name!r}: expected one of {', '.join(PARTS)}.")
    return PARTS[name]
