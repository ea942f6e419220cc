"""The hardware: SystemVerilog, its benches, render, simulate."""
