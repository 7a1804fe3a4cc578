"""Which unit every operation runs on: ALLOCATION limits how many there are, and equal products share multipliers as far
as the II of their loop allows.

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
    """Give units to the operations that share them."""
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
            label, number = "_".join(map(str, key)), 0
            while slot in taken.setdefault(f"{label}_{number}", set()):
                number += 1
            name = f"{label}_{number}"
            taken[name].add(slot)
            binding.unit[value] = name
            widths = (value.arguments[0].bits, value.arguments[1].bits)
            _, _, before, bits = binding.shape.get(name, (kind, latency, (0, 0), 0))
            wider = (max(before[0], widths[0]), max(before[1], widths[1]))
            binding.shape[name] = (kind, latency, wider, max(bits, value.bits))
    return binding
