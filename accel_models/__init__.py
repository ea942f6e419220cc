"""What it costs: reuse, cycles, energy, area, FPGA resources; batch evaluation; the mapper."""
