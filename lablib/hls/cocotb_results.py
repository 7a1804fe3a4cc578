"""What became of a test bench: each test's end as plain data, with the line that failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["MODULE", "BenchRun", "Outcome", "no_start", "outcomes"]

MODULE = "student_bench"  # the name under which cocotb imports the test bench


@dataclass(frozen=True)
class Outcome:
    """What became of one test.

    Attributes
    ----------
    name
        The test's function.
    passed
        Whether it did.
    message
        Why not, in one sentence that names the line.
    line
        The line of the test bench that failed, or 0.
    simulated_ns
        Time in the simulation, in nanoseconds.
    seconds
        Time on the clock.
    """

    name: str
    passed: bool
    message: str
    line: int
    simulated_ns: float
    seconds: float


@dataclass(frozen=True)
class BenchRun:
    """A test bench that has run.

    Attributes
    ----------
    design, engine
        The module; ``"verilator"`` or ``"icarus"``.
    outcomes
        One for each test, in the order of the file.
    output
        What the simulator, cocotb and the tests printed.
    """

    design: str
    engine: str
    outcomes: tuple[Outcome, ...]
    output: str

    @property
    def passed(self) -> bool:
        """Whether all tests did."""
        return all(one.passed for one in self.outcomes)

    def __str__(self) -> str:
        return "\n".join(f"{one.name}: passed" if one.passed else one.message for one in self.outcomes)


def outcomes(results: Path, bench: str) -> tuple[Outcome, ...]:
    """What cocotb wrote into its results file, for the test bench's text."""
    return tuple(_outcome(case, bench) for case in ElementTree.parse(results).iter("testcase"))


def _outcome(case: ElementTree.Element, bench: str) -> Outcome:
    name, facts = case.get("name", ""), {one.get("name"): one.get("value") for one in case.iter("property")}
    simulated = float(facts.get("sim_time_duration") or 0)
    fault = next((each for each in case if each.tag in ("failure", "error")), None)
    line, message = (0, "") if fault is None else _why(name, fault, bench)
    return Outcome(name, fault is None, message, line, simulated, float(case.get("time", 0)))


def _why(name: str, fault: ElementTree.Element, bench: str) -> tuple[int, str]:
    # Lines with a plus tell of each value on the way, down to cocotb's own objects.
    told = [line.strip() for line in (fault.get("message") or "").splitlines() if not line.strip().startswith("+")]
    kind, said = fault.get("type", ""), ", ".join(told)
    if kind == "SimFailure":
        return (
            0,
            f"{name} failed: the simulation ended before it did, since nothing was left to happen (no clock runs?).",
        )
    if kind == "SimTimeoutError":
        return 0, f"{name} failed: it took longer in the simulation than the timeout of its decorator allows."
    line = _line(fault.text or "")
    said = said if kind == "AssertionError" else f"{kind}: {said}".rstrip(": ")
    where = f"Line {line} of the test bench, `{bench.splitlines()[line - 1].strip()}`: " if line else ""
    return line, f"{where}{name} failed{', ' * bool(said)}{said.rstrip('.')}."


def _line(traceback: str) -> int:
    """The innermost line of the test bench itself."""
    found = re.findall(rf'File "[^"]*{MODULE}\.py", line (\d+)', traceback)
    return int(found[-1]) if found else 0


def no_start(output: str, bench: str) -> str:
    """Why there are no results, in one sentence."""
    if "cocotb.test" not in bench:
        return "The test bench has no test: mark each with @cocotb.test()."
    said = [line.strip() for line in output.splitlines() if re.match(r"\s*\w*(Error|Exception)\b", line)]
    line = _line(output)
    where = f"Line {line} of the test bench, `{bench.splitlines()[line - 1].strip()}`: " if line else ""
    ended = said or output.strip().splitlines() or ["the simulator ended"]
    return f"{where}the test bench did not start: {ended[-1].rstrip('.')}."
