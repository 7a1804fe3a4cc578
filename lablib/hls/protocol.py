"""How a module is driven: which of its ports are handshakes, and which carry values.

===========  ======================================  ==========================================================
protocol     ports                                   an input is taken, and a result given
===========  ======================================  ==========================================================
stream       clk, in_valid [in_ready],               at each rising edge at which valid and ready are both high
             out_valid [out_ready]
start        clk, start, done                        start is high for one cycle, inputs stay until done is high
pipeline     clk                                     at each rising edge; a stated number of cycles later
gates        no clock                                at once
===========  ======================================  ==========================================================

A reset (rst, active high, or rst_n, active low) is optional in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lablib.hls.errors import HardwareError
from lablib.hls.verilog import Module, Port

__all__ = ["ROLES", "Protocol", "protocol_of"]

ROLES: dict[str, tuple[str, ...]] = {
    "clk": ("clk", "clock", "ap_clk"),
    "rst": ("rst", "reset", "ap_rst"),
    "rst_n": ("rst_n", "reset_n", "ap_rst_n"),
    "in_valid": ("in_valid", "in_vld"),
    "in_ready": ("in_ready", "in_rdy"),
    "out_valid": ("out_valid", "out_vld"),
    "out_ready": ("out_ready", "out_rdy"),
    "start": ("start", "ap_start"),
    "done": ("done", "ap_done"),
}
"""For each handshake the names by which a port is known to be it."""

_DRIVEN = {"clk", "rst", "rst_n", "in_valid", "out_ready", "start"}


@dataclass(frozen=True)
class Protocol:
    """How a module is driven.

    Attributes
    ----------
    kind
        ``"stream"``, ``"start"``, ``"pipeline"`` or ``"gates"``.
    roles
        Name of the port by role, for those roles that a port has.
    inputs, outputs
        The ports that carry values.
    latency
        Cycles from an input to its result where the module does not say itself, else None.
    """

    kind: str
    roles: dict[str, str]
    inputs: dict[str, Port]
    outputs: dict[str, Port]
    latency: int | None = None


def protocol_of(module: Module, latency: int | None = None, names: Mapping[str, str] | None = None) -> Protocol:
    """Find out how a module wants to be driven.

    Parameters
    ----------
    module
        The module from outside.
    latency
        Cycles from an input to its result, for a pipeline without handshake.
    names
        Ports of other names by role: ``{"in_valid": "x_vld"}``.

    Raises
    ------
    HardwareError
        The ports fit no protocol; the message says which is missing.

    Examples
    --------
    >>> from lablib.hls.verilog import module_of
    >>> protocol_of(module_of("module inv(input a, output y); assign y = ~a; endmodule", "inv")).kind
    'gates'
    """
    roles = _roles(module, names or {})
    for role, name in roles.items():
        port, wanted = module.ports[name], "input" if role in _DRIVEN else "output"
        if (port.direction, port.bits) != (wanted, 1):
            raise HardwareError(
                f"Port {name} of {module.name} is {_kind(port)}: as {role} it has to be an {wanted} of 1 bit."
            )
    kind = _kind_of(module, roles, latency)
    taken = set(roles.values())
    inputs = {name: port for name, port in module.named("input").items() if name not in taken}
    outputs = {name: port for name, port in module.named("output").items() if name not in taken}
    if not outputs:
        raise HardwareError(f"Module {module.name} has no output that carries a value.")
    fixed = 0 if kind == "gates" else latency if kind == "pipeline" else None
    return Protocol(kind, roles, inputs, outputs, fixed)


def _roles(module: Module, names: Mapping[str, str]) -> dict[str, str]:
    roles = {}
    for role, known in ROLES.items():
        found = [name for name in known if name in module.ports]
        if found:
            roles[role] = found[0]
    for role, name in names.items():
        if role not in ROLES:
            raise HardwareError(f"{role!r} is not a role of a port: expected one of {', '.join(ROLES)}.")
        if name not in module.ports:
            raise HardwareError(f"{module.name} has no port {name} to be {role}: it has {', '.join(module.ports)}.")
        roles[role] = name
    return roles


def _kind(port: Port) -> str:
    return f"an {port.direction} of {port.bits} bit{'s' * (port.bits != 1)}"


def _kind_of(module: Module, roles: Mapping[str, str], latency: int | None) -> str:
    pairs = {"stream": ("in_valid", "out_valid"), "start": ("start", "done")}
    for kind, pair in pairs.items():
        there = [role for role in pair if role in roles]
        if len(there) == 1:
            (missing,) = set(pair) - set(there)
            raise HardwareError(f"{module.name} has {roles[there[0]]} but no {missing}: the two go together.")
        if there and "clk" not in roles:
            raise HardwareError(f"{module.name} has {' and '.join(there)} but no port clk.")
        if there:
            return kind
    if "clk" not in roles:
        return "gates"
    if latency is None or latency < 0:
        raise HardwareError(
            f"{module.name} has a clock and no handshake (in_valid and out_valid, or start and done): "
            "say after how many cycles its result is there, latency=3 for example."
        )
    return "pipeline"
