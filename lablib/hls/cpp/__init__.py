"""From HLS C++ with pragmas to cycle-exact RTL: a compiler of a teaching subset, small enough to be read.

>>> source = '''
... void scale(const int x[8], int y[8]) {
...   for (int i = 0; i < 8; i++) {
...     #pragma HLS PIPELINE II=1
...     y[i] = 3 * x[i];
...   }
... }'''
>>> from lablib.hls.cpp.design import hardware
>>> design = hardware(source, "scale")
>>> design.report.latency_cycles, design.intervals
(11, {'l0': 1})

The source is the one that `lablib.hls.csim` runs, and the Verilog gives the same bits. The stages, a file each:

    parse, expressions, pragmas  clang's tree to a `tree` of the subset; what is outside of it is `refusal`
    transform, loops, evaluate   the tree is run once on symbols: loops unrolled or kept, calls inlined, branches merged
    places, environment, arrays  what a name stands for and holds; in which bank an element lies
    arithmetic, formats          exact integers with ranges; ap_fixed rounds and saturates where a value is assigned
    rebalance, prune             sums in pairs; what no result needs goes
    library, graph, schedule     delays, what waits for what, a cycle for each operation
    bind, emit, units, control   shared units, wires and registers, one token that goes from region to region
    plan, report, area, chart    cycles in closed form; why II is not 1; what it takes; the schedule as a chart
    bench, design                the RTL in Verilator; all of it in one call

A kernel is a sequence of regions (`ir`): a block of operations that is scheduled as one, or a loop of regions. Regions
run one after the other, so that imperfect nests need nothing of their own: a loop's body is a sequence too. Between
blocks a value lives in a register or a memory. A block of d cycles takes d; a loop 1 to enter and trip times its body;
a pipelined loop 1 + d + II (trip - 1). Trip counts are constants, and nothing ever waits: cycles are known exactly.

Arithmetic is exact; a value gets the type that clang has for its expression, whose widths are the headers' rules, and
ranges prove most of these conversions away. Branches run both sides: a variable gets a multiplexer, a store a
condition, a load reads whatever its address says. A bank of an array has one read port, whose word comes a cycle
later, and one write port; a read sees what was written in earlier cycles. Completely partitioned arrays are registers.
"""
