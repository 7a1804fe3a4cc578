"""The program around a C++ kernel: it reads vectors from a file, calls the kernel, and writes what came of them.

Values travel as 8 bytes each, a stream's after their number. Each argument lies between pages that may not be touched,
in every other call at the start of its own pages and otherwise at their end, so that an index just outside of it
faults on one side or the other. A fault is told in lines that begin with @, which `lablib.hls.cpp_faults` reads.
"""

from __future__ import annotations

from lablib.hls.cpp_types import Number, Parameter, Signature

__all__ = ["DONE", "program"]

DONE = (0x656E6F64).to_bytes(8, "little")
"""The last bytes of the results, absent where the kernel left the program."""

_FRAME = r"""
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <execinfo.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

namespace lablib {

struct Guarded {
    static constexpr size_t around = size_t(16) << 20, page = size_t(64) << 10;
    const char *name;
    size_t bytes, element, inside;
    char *memory, *place;
    Guarded(const char *name, size_t bytes, size_t element) : name(name), bytes(bytes), element(element) {
        inside = (bytes + page - 1) / page * page;
        memory = (char *)mmap(0, inside + 2 * around, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED || mprotect(memory + around, inside, PROT_READ | PROT_WRITE)) {
            fprintf(stderr, "\n@memory\n");
            _exit(1);
        }
        all().push_back(this);
    }
    void *at(bool end) { return place = memory + around + (end ? inside - bytes : 0); }
    bool around_it(const char *address) const { return memory <= address && address < memory + inside + 2 * around; }
    static std::vector<Guarded *> &all() { static std::vector<Guarded *> list; return list; }
};

static void fault(int signal, siginfo_t *info, void *) {
    fprintf(stderr, "\n@signal %d\n", signal);
    const char *address = (const char *)info->si_addr;
    if (signal == SIGSEGV || signal == SIGBUS)
        for (Guarded *each : Guarded::all())
            if (each->around_it(address)) {
                long distance = address - each->place, size = each->element;
                long index = distance < 0 ? (distance - size + 1) / size : distance / size;
                fprintf(stderr, "@outside %s %ld\n", each->name, index);
            }
    void *frames[40];
    int found = backtrace(frames, 40);
    fprintf(stderr, "@frames");
    for (int i = 0; i < found; i++) fprintf(stderr, " %p", frames[i]);
    fprintf(stderr, "\n");
    _exit(1);
}

static void limit(int resource, rlim_t most) {
    rlimit now;
    getrlimit(resource, &now);
    now.rlim_cur = now.rlim_max < most ? now.rlim_max : most;
    setrlimit(resource, &now);
}

static void prepare() {
    static char stack[1 << 16];
    stack_t other = {};
    other.ss_sp = stack;
    other.ss_size = sizeof stack;
    sigaltstack(&other, 0);
    struct sigaction action = {};
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXFSZ}) sigaction(signal, &action, 0);
    void *frame;
    backtrace(&frame, 1);  // loads what it needs while there is memory for it
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, rlim_t(1) << 30);
    limit(RLIMIT_AS, rlim_t(4) << 30);
}

static FILE *in, *out;

template <class W> W get() {
    W value;
    if (fread(&value, sizeof value, 1, in) != 1) _exit(2);
    return value;
}
template <class W> void put(W value) { fwrite(&value, sizeof value, 1, out); }

}  // namespace lablib

#include "kernel.cpp"

int main(int, char **lablib_names) {
    lablib::prepare();
    lablib::in = fopen(lablib_names[1], "rb");
    lablib::out = fopen(lablib_names[2], "wb");
    setvbuf(stdout, 0, _IOLBF, 0);
    @arguments
    for (int64_t lablib_run = 0, lablib_runs = lablib::get<int64_t>(); lablib_run < lablib_runs; lablib_run++) {
        @before
        @call
        @after
    }
    lablib::put<int64_t>(@done);
    return fclose(lablib::out) ? 3 : 0;
}
"""


def program(signature: Signature) -> str:
    """C++ text of the program; the kernel's source lies beside it as ``kernel.cpp``.

    Its two arguments are files. The first holds the number of calls, and for each call all parameters in order; the
    second is written with the results of each call in order.
    """
    names = [f"lablib_{place}" for place, _ in enumerate(signature.parameters)]
    called = f"{signature.name}({', '.join(names)})"
    answer = signature.returned
    written = [(name, each) for name, each in zip(names, signature.parameters, strict=True) if each.written]
    parts = {
        "arguments": [_storage(name, each) for name, each in zip(names, signature.parameters, strict=True)],
        "before": [_filled(name, each) for name, each in zip(names, signature.parameters, strict=True)],
        "call": [f"const {answer.spelling} lablib_answer = {called};" if answer else f"{called};"],
        "after": [
            *([_put(answer, "lablib_answer")] if answer else []),
            *(_taken(name, each) for name, each in written),
        ],
    }
    text = _FRAME.replace("@done", str(int.from_bytes(DONE, "little")))
    for part, lines in parts.items():
        text = text.replace(f"@{part}\n", "\n        ".join(lines) + "\n")
    return text


def _storage(name: str, each: Parameter) -> str:
    """Declarations of the types ``<name>_one`` and ``<name>_all``, and of the memory for an array."""
    one = f"typedef {each.number.spelling} {name}_one;"
    if each.stream:
        return one
    extents = "".join(f"[{extent}]" for extent in each.shape)
    return (
        f"{one} typedef {name}_one {name}_all{extents}; "
        f'lablib::Guarded {name}_guard("{each.name}", sizeof({name}_all), sizeof({name}_one));'
    )


def _filled(name: str, each: Parameter) -> str:
    got = f"{name}_one(lablib::get<{_wire(each.number)}>())"
    if each.stream:
        count = f"{name}_count"
        return (
            f'hls::stream<{name}_one> {name}("{each.name}"); '
            f"for (int64_t {count} = lablib::get<int64_t>(); {count} > 0; {count}--) {name}.write({got});"
        )
    place = f"{name}_all &{name} = *({name}_all *){name}_guard.at(lablib_run % 2 == 0);"
    return f"{place} {_each(name, f'(({name}_one *)&{name})[lablib_at] = {got};')}"


def _taken(name: str, each: Parameter) -> str:
    if each.stream:
        put = _put(each.number, f"{name}.read()")
        return f"lablib::put<int64_t>({name}.size()); while (!{name}.empty()) {put}"
    return _each(name, _put(each.number, f"(({name}_one *)&{name})[lablib_at]"))


def _each(name: str, statement: str) -> str:
    count = f"sizeof({name}_all) / sizeof({name}_one)"
    return f"for (size_t lablib_at = 0; lablib_at < {count}; lablib_at++) {statement}"


def _wire(number: Number) -> str:
    return {"float64": "double", "int64": "int64_t", "uint64": "uint64_t"}[number.wire.name]


def _put(number: Number, expression: str) -> str:
    method = {"double": ".to_double()", "int64_t": ".to_int64()", "uint64_t": ".to_uint64()"}[_wire(number)]
    return f"lablib::put<{_wire(number)}>({expression}{method if number.spelling.startswith('ap_') else ''});"
