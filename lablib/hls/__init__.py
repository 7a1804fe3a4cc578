"""From a layer to placed and routed hardware, with open tools that pip installs.

One vocabulary over several engines: `csim` runs HLS C++ bit by bit, `cpp` compiles it to RTL as its pragmas say,
`layers` runs a torch network, `xls` schedules DSLX, `da` builds layers without multipliers, `rtlsim` and
`cocotb_bench` simulate Verilog cycle by cycle, `synth` and `place` put it on a part, `vitis` hands a kernel to AMD's
tools. Figures of a design are in a `report.Report`.
"""
