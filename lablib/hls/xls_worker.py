"""Runs XLS in a process of its own: an endless optimisation can be stopped, and an abort ends no notebook.

Started as a script with a request in JSON on its standard input; what it makes are files in its folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FILE = "design.x"  # the name by which XLS calls the student's source in its messages
MODULE = "design"


def interfaces(source: str) -> dict[str, Any]:
    """What the module's functions and procs take and give, by name."""
    from xls import dslx

    imported = dslx.ImportData.create()
    typed = dslx.parse_and_typecheck(source, FILE, MODULE, imported)
    module, types = typed.get_module(), typed.get_type_info()
    found: dict[str, Any] = {}
    for index in range(module.get_member_count()):
        function = module.get_member(index).get_function()
        if function is None:
            continue
        name = function.get_identifier()
        if function.is_parametric():
            found[name] = {"parametric": True}
            continue
        parameters = [function.get_param(i) for i in range(function.get_param_count())]
        found[name] = {
            "parameters": {
                one.get_name(): types.get_type_type_annotation(one.get_type_annotation()).to_string()
                for one in parameters
            },
            "result": _result(function, types),
        }
    return found


def _result(function: Any, types: Any) -> str:
    annotation = function.get_return_type()  # none is written where nothing is returned
    return "()" if annotation is None else types.get_type_type_annotation(annotation).to_string()


def check(request: dict[str, Any]) -> None:
    """Nothing is made: the source parses, and its types fit."""
    from xls import dslx

    dslx.parse_and_typecheck(request["source"], FILE, MODULE, dslx.ImportData.create())


def convert(request: dict[str, Any]) -> None:
    """Source to IR: `interfaces.json` and `design.ir`."""
    import xls

    Path("interfaces.json").write_text(json.dumps(interfaces(request["source"])))
    Path("design.ir").write_text(xls.convert_dslx_to_ir(request["source"], FILE, MODULE))


def optimise(request: dict[str, Any]) -> None:
    """IR to optimised IR: `optimised.ir`."""
    import xls

    Path("optimised.ir").write_text(xls.optimize_ir(request["ir"], request["top"]))


def codegen(request: dict[str, Any]) -> None:
    """Optimised IR to a pipeline: `design.v`, and the same as IR in `block.ir`."""
    import xls

    package = xls.Package.parse_ir(request["ir"])
    # separate_lines: one assignment for each operation, so that each can be found.
    result = package.schedule_and_codegen(
        with_delay_model=True, generator="pipeline", flop_inputs=True, flop_outputs=True, use_system_verilog=False,
        reset="rst", separate_lines=True, **request["options"],
    )  # fmt: skip
    Path("design.v").write_text(result.get_verilog_text())
    Path("block.ir").write_text(package.to_string())


if __name__ == "__main__":
    try:
        task = json.load(sys.stdin)
        {"check": check, "convert": convert, "optimise": optimise, "codegen": codegen}[task["step"]](task)
    except RuntimeError as error:  # XLS's own
        sys.exit(str(error))
