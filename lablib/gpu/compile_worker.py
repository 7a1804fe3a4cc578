"""The compiling process behind `lablib.gpu.compile`: here Triton compiles, it does not interpret."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lablib.gpu.modules import load_kernel

__all__ = ["compile_request"]


def compile_request(request: dict[str, Any]) -> dict[str, Any]:
    """Compile one kernel; see `lablib.gpu.compile.Compiled` for the fields of the answer."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernel = load_kernel(request["text"], request["name"])
    names = kernel.arg_names
    source = ASTSource(
        fn=kernel,
        signature=request["signature"],
        constexprs={name: _constant(value) for name, value in request["constants"].items()},
        attrs={(names.index(name),): [["tt.divisibility", 16]] for name in request["divisible"]},
    )
    target = GPUTarget("cuda", request["capability"], 32)
    options = {k: v for k, v in request["options"].items() if v is not None}
    try:
        compiled = triton.compile(source, target=target, options=options or None)
    except Exception as error:
        message, _, _ = str(error).partition("Repro command")  # which names folders of this machine
        return {"error": _first_lines(message.strip() or type(error).__name__)}
    stages = {stage: compiled.asm[stage] for stage in ("ttir", "ttgir", "llir", "ptx")}
    sass, registers, spills = _disassemble(compiled.asm["cubin"])
    stages["sass"] = sass
    stages = {stage: _without_folders(text) for stage, text in stages.items()}
    first = request["line"]
    return {
        "stages": stages,
        "line_map": {
            "ttir": _mlir_lines(stages["ttir"], first),
            "ttgir": _mlir_lines(stages["ttgir"], first),
            "llir": _llvm_lines(stages["llir"], first),
            "ptx": _ptx_lines(stages["ptx"], first),
            "sass": _sass_lines(stages["sass"], first, stages["ptx"]),
        },
        "registers": registers,
        "spill_bytes": spills,
        "shared_bytes": int(compiled.metadata.shared),
        "num_warps": int(compiled.metadata.num_warps),
    }


def _constant(value: Any) -> Any:
    if isinstance(value, dict):
        import triton.language as tl

        return getattr(tl, re.sub(r"^(b?)fp?(?=\d)", r"\1float", value["dtype"]))
    return value


def _without_folders(text: str) -> str:
    """Shorten the paths in debug information to file names: the folder is temporary or this installation's."""
    text = re.sub(r'"/[^"]*/([^"/]+\.py)"', r'"\1"', text)
    return re.sub(r'(!DIFile\(filename: "[^"]*"), directory: "[^"]*"', r"\1", text)


def _first_lines(message: str, limit: int = 1200) -> str:
    return message if len(message) <= limit else message[:limit] + " ..."


def _disassemble(cubin: bytes) -> tuple[str, int, int]:
    """SASS with its source lines, registers a thread and bytes of local memory (spills and stack)."""
    from triton.backends import nvidia

    tools = Path(nvidia.__file__).parent / "bin"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()

        def run(tool: str, *flags: str) -> str:
            command = [str(tools / tool), *flags, file.name]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        sass = run("nvdisasm", "--print-line-info", "--print-code")
        usage = run("cuobjdump", "--dump-resource-usage")
    number = {key: int(value) for key, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", usage)}
    return sass, number.get("REG", 0), number.get("STACK", 0) + number.get("LOCAL", 0)


def _mlir_lines(text: str, first: int) -> list[int]:
    """Source line of each line of TTIR or TTGIR: ``loc(#loc7)``, with ``#loc7 = loc("kernel.py":12:34)`` at the end."""
    places = dict(re.findall(r"^(#loc\d*) = loc\((.*)\)$", text, re.MULTILINE))

    def outermost(place: str, depth: int = 0) -> int:
        """Line in the kernel: of ``callsite(#inner at #outer)`` the outer one, through names and fusions."""
        known = re.findall(r'"[^"]*\.py":(\d+):', place)
        if known or depth > 16:
            return int(known[-1]) if known else 0
        inner = re.findall(r"#loc\d*", place)
        return outermost(places.get(inner[-1], ""), depth + 1) if inner else 0

    result = []
    for line in text.splitlines():
        found = None if line.startswith("#loc") else re.search(r"loc\((#loc\d*)\)\s*$", line)
        result.append(_relative(outermost(places.get(found[1], "")), first) if found else 0)
    return result


def _llvm_lines(text: str, first: int) -> list[int]:
    """Source line of each line of LLVM IR: ``!dbg !17``, with ``!17 = !DILocation(line: 12, ..., inlinedAt: !9)``."""
    pattern = r"^(!\d+) = .*?!DILocation\(line: (\d+).*?(?:inlinedAt: (!\d+))?\)$"
    places = {key: (int(line), caller) for key, line, caller in re.findall(pattern, text, re.MULTILINE)}

    def outermost(key: str) -> int:
        line, caller = places.get(key, (0, ""))
        return outermost(caller) if caller else line

    found = (re.search(r"!dbg (!\d+)", line) for line in text.splitlines())
    return [_relative(outermost(match[1]), first) if match else 0 for match in found]


def _ptx_lines(text: str, first: int) -> list[int]:
    """Source line of each line of PTX: what the last ``.loc`` said, whose comment ends with the outermost place."""
    current, result = 0, []
    for line in text.splitlines():
        places = re.findall(r"\.py:(\d+):", line) if line.lstrip().startswith(".loc") else []
        current = int(places[-1]) if places else current
        code = re.match(r"\s+(@%?!?\w+\s+)?[a-z]", line) is not None
        result.append(_relative(current, first) if code else 0)
    return result


def _sass_lines(text: str, first: int, ptx: str) -> list[int]:
    """Source line of each line of SASS: what the last ``//## File "...", line N`` said.

    SASS names a line of Triton's own library where ``tl.sum`` and the like were inlined. The PTX knows who called
    it; a library line with one caller is shown as that caller, one with several as 0.
    """
    callers: dict[tuple[str, int], set[int]] = {}
    for comment in re.findall(r"^\s*\.loc\s.*//(.*)$", ptx, re.MULTILINE):
        places = [(name, int(line)) for name, line in re.findall(r"([\w.]+\.py):(\d+):", comment)]
        for place in places:
            callers.setdefault(place, set()).add(places[-1][1])
    current, result = 0, []
    for line in text.splitlines():
        found = re.search(r'//## File "([^"]*)", line (\d+)', line)
        if found:
            lines = callers.get((found[1], int(found[2])), {0})
            current = lines.copy().pop() if len(lines) == 1 else 0
        code = re.match(r"\s+/\*[0-9a-f]{4,}\*/\s", line) is not None
        result.append(_relative(current, first) if code else 0)
    return result


def _relative(line: int, first: int) -> int:
    return max(line - first + 1, 0)
