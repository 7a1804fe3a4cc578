"""From a layer to placed and routed hardware, with open tools that pip installs.

One vocabulary over several engines: `csim` runs HLS C++ bit by bit, `xls` schedules DSLX, `rtlsim` simulates Verilog
cycle by cycle, `synth` and `place` put it on a part. All give a `report.Report`.
"""
