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
#include <ucontext.h>
#include <unistd.h>
#include <vector>
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "kernel.cpp"

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

int main(int, char **names) {
    using namespace lablib;
    prepare();
    in = fopen(names[1], "rb");
    out = fopen(names[2], "wb");
    setvbuf(stdout, 0, _IOLBF, 0);
    @arguments
    for (int64_t run = 0, runs = get<int64_t>(); run < runs; run++) {
        @before
        @call
        @after
    }
    put<int64_t>(@done);
    return fclose(out) ? 3 : 0;
}
"""


def program(signature: Signature) -> str:
    """C++ text of the program; the kernel's source lies beside it as ``kernel.cpp``.

    Its two arguments are files. The first holds the number of calls, and for each call all parameters in order; the
    second is written with the results of each call in order.
    """
    called = f"{signature.name}({', '.join(f'a{place}' for place, _ in enumerate(signature.parameters))})"
    after = [f"put<{_wire(signature.returned)}>({_value(signature.returned, 'r')});"] if signature.returned else []
    arguments, before = [], []
    for place, each in enumerate(signature.parameters):
        arguments.append(_storage(place, each))
        before.append(_filled(place, each))
        if each.written:
            after.append(_taken(place, each))
    parts = {
        "arguments": arguments,
        "before": before,
        "call": [f"const {signature.returned.spelling} r = {called};" if signature.returned else f"{called};"],
        "after": after,
    }
    text = _FRAME.replace("@done", str(int.from_bytes(DONE, "little")))
    for name, lines in parts.items():
        text = text.replace(f"@{name}\n", "\n        ".join(lines) + "\n")
    return text


def _storage(place: int, each: Parameter) -> str:
    if each.stream:
        return f"typedef {each.number.spelling} E{place};"
    extents = "".join(f"[{extent}]" for extent in each.shape)
    return (
        f"typedef {each.number.spelling} E{place}; typedef E{place} A{place}{extents}; "
        f'Guarded g{place}("{each.name}", sizeof(A{place}), sizeof(E{place}));'
    )


def _filled(place: int, each: Parameter) -> str:
    got = f"E{place}(get<{_wire(each.number)}>())"
    if each.stream:
        return (
            f'hls::stream<E{place}> a{place}("{each.name}"); '
            f"for (int64_t n = get<int64_t>(); n > 0; n--) a{place}.write({got});"
        )
    return (
        f"A{place} &a{place} = *(A{place} *)g{place}.at(run % 2 == 0); "
        f"for (size_t i = 0; i < sizeof(A{place}) / sizeof(E{place}); i++) ((E{place} *)&a{place})[i] = {got};"
    )


def _taken(place: int, each: Parameter) -> str:
    if each.stream:
        put = f"put<{_wire(each.number)}>({_value(each.number, f'a{place}.read()')});"
        return f"put<int64_t>(a{place}.size()); while (!a{place}.empty()) {put}"
    put = f"put<{_wire(each.number)}>({_value(each.number, f'((E{place} *)&a{place})[i]')});"
    return f"for (size_t i = 0; i < sizeof(A{place}) / sizeof(E{place}); i++) {put}"


def _wire(number: Number) -> str:
    return {"float64": "double", "int64": "int64_t", "uint64": "uint64_t"}[number.wire.name]


def _value(number: Number, expression: str) -> str:
    if not number.spelling.startswith("ap_"):
        return expression
    return f"{expression}.{ {'double': 'to_double', 'int64_t': 'to_int64', 'uint64_t': 'to_uint64'}[_wire(number)] }()"
