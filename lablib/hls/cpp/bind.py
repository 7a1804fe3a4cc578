"""Which unit every operation runs on: operations share one where ALLOCATION limits how many there are.

Two operations of a loop can have the same unit if their cycles differ modulo II; those of different blocks always can,
since one block runs at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lablib.hls.cpp.ir import Value, blocks
from lablib.hls.cpp.plan import Plan

__all__ = ["Binding", "bind"]


@dataclass
class Binding:
    """Units.

    Attributes
    ----------
    unit
        By operation, the name of the unit that it shares.
    shape
        By unit: its kind, its latency, the widths of its operands, and that of its result.
    """

    unit: dict[Value, str] = field(default_factory=dict)
    shape: dict[str, tuple[str, int, tuple[int, int], int]] = field(default_factory=dict)


def bind(plan: Plan) -> Binding:
    """Give each operation of a limited kind its unit."""
    binding = Binding()
    for block in blocks(plan.kernel.regions):
        schedule = plan.schedules[block]
        taken: dict[str, set[int]] = {}
        for at, key in schedule.graph.resources.items():
            if key[0] in ("read", "write"):
                continue
            value, kind = schedule.graph.values[at], str(key[0])
            slot = schedule.cycles[at] % schedule.ii if block in plan.owner else schedule.cycles[at]
            latency = schedule.graph.timing[at].latency
            number = 0
            while slot in taken.setdefault(f"{kind}{number}_{latency}", set()):
                number += 1
            name = f"{kind}{number}_{latency}"
            taken[name].add(slot)
            binding.unit[value] = name
            widths = (value.arguments[0].bits, value.arguments[1].bits)
            _, _, before, bits = binding.shape.get(name, (kind, latency, (0, 0), 0))
            wider = (max(before[0], widths[0]), max(before[1], widths[1]))
            binding.shape[name] = (kind, latency, wider, max(bits, value.bits))
    return binding
