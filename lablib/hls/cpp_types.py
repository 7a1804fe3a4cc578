"""What a C++ kernel takes and gives: its parameters, and the numbers that they hold.

A number is kept as the integer that its bits spell, `width` bits of them `fraction` behind the binary point:

    ap_fixed<8, 3>:  s i i . f f f f f      value = integer · 2^-5
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lablib.hls.errors import HardwareError

__all__ = ["Number", "Parameter", "Signature"]

_LONGEST_INTEGER = 64
_LONGEST_FRACTION = 53  # bits that float64 holds without rounding


@dataclass(frozen=True)
class Number:
    """The type of one number.

    Attributes
    ----------
    spelling
        As C++ has it: ``"ap_fixed<16, 6>"``.
    kind
        ``"fixed"``, ``"integer"`` or ``"float"``.
    width, fraction
        Bits, and those of them behind the binary point.
    signed
        Whether it holds negative numbers.
    """

    spelling: str
    kind: str
    width: int
    fraction: int = 0
    signed: bool = True

    def __post_init__(self) -> None:
        if self.kind == "fixed" and self.width > _LONGEST_FRACTION:
            raise HardwareError(
                f"{self.spelling} has {self.width} bits, and a float64 holds {_LONGEST_FRACTION}: "
                "give what enters and leaves the kernel a narrower type."
            )
        if self.kind == "integer" and self.width > _LONGEST_INTEGER:
            raise HardwareError(
                f"{self.spelling} has {self.width} bits, and a numpy integer holds {_LONGEST_INTEGER}: "
                "give what enters and leaves the kernel a narrower type."
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its results: float64 for fixed point, int64 for integers, or the C++ float's own."""
        if self.kind == "float":
            return np.dtype(f"float{self.width}")
        if self.kind == "fixed":
            return np.dtype(np.float64)
        return np.dtype(np.int64 if self.signed or self.width < _LONGEST_INTEGER else np.uint64)

    @property
    def wire(self) -> np.dtype[Any]:
        """The dtype, of 8 bytes, in which values travel to the kernel and back."""
        return self.dtype if self.kind == "integer" else np.dtype(np.float64)

    def raw(self, values: Any) -> np.ndarray:
        """The integers that the bits of these results spell, as RTL sees them.

        Parameters
        ----------
        values
            Results of a kernel, any shape.

        Returns
        -------
        numpy.ndarray
            int64 of the same shape: value · 2^fraction. It is exact.

        Examples
        --------
        >>> Number("ap_fixed<8, 3>", "fixed", 8, 5).raw([1.5, -0.03125]).tolist()
        [48, -1]
        """
        if self.kind == "float":
            raise HardwareError(f"{self.spelling} is no fixed-point type, so its values have no integer behind them.")
        if self.kind == "integer":
            return np.asarray(values).astype(self.dtype)
        return np.rint(np.ldexp(np.asarray(values, np.float64), self.fraction)).astype(np.int64)

    def sent(self, values: Any, name: str) -> np.ndarray:
        """`values` as they travel to the kernel; its C++ type rounds and wraps them, or saturates them."""
        array = np.asarray(values)
        if array.dtype.kind not in "buif":
            raise HardwareError(f"{name} is {self.spelling}: expected numbers, got {array.dtype}.")
        if self.kind == "integer" and array.dtype.kind == "f":
            raise HardwareError(f"{name} is {self.spelling}: expected integers, got {array.dtype}.")
        if self.kind == "fixed" and not np.all(np.isfinite(array)):
            raise HardwareError(f"{name} is {self.spelling}: expected finite values, got NaN or infinity.")
        return np.asarray(array, self.wire, order="C")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel, or what it returns.

    Attributes
    ----------
    name, number
        Its name and the type of its elements.
    shape
        Extents of an array; empty for a single value.
    stream
        Whether it is an ``hls::stream``.
    written
        Whether the kernel writes it: it is a result then.
    """

    name: str
    number: Number
    shape: tuple[int, ...] = ()
    stream: bool = False
    written: bool = False

    def __str__(self) -> str:
        if self.stream:
            return f"hls::stream<{self.number.spelling}> {self.name}"
        return f"{self.number.spelling} {self.name}" + "".join(f"[{extent}]" for extent in self.shape)


@dataclass(frozen=True)
class Signature:
    """A kernel's name, its parameters in order, and what it returns (None for ``void``)."""

    name: str
    parameters: tuple[Parameter, ...]
    returned: Number | None = None

    @property
    def inputs(self) -> tuple[Parameter, ...]:
        """Parameters that the kernel only reads."""
        return tuple(each for each in self.parameters if not each.written)

    @property
    def results(self) -> tuple[Parameter, ...]:
        """What the kernel returns, under the name ``returned``, and then the parameters that it writes."""
        returned = (Parameter("returned", self.returned, written=True),) if self.returned else ()
        return returned + tuple(each for each in self.parameters if each.written)

    def __str__(self) -> str:
        inputs, results = (", ".join(map(str, group)) for group in (self.inputs, self.results))
        return f"{self.name}({inputs}) -> {results or 'nothing'}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Signature:
        """What `to_dict` gave."""
        parameters = tuple(
            Parameter(**{**each, "number": Number(**each["number"]), "shape": tuple(each["shape"])})
            for each in data["parameters"]
        )
        return cls(data["name"], parameters, Number(**data["returned"]) if data["returned"] else None)
