"""The 52 columns of MAESTRO's CSV file: header word, and the figure's place in a row (MODEL 12)."""

from __future__ import annotations

_TENSORS = (("input", "input"), ("filter", "weight"), ("output", "output"))
_ACCESSES = (
    ("l1 read", "l1_reads"),
    ("l1 write", "l1_writes"),
    ("l2 read", "l2_reads"),
    ("l2 write", "l2_writes"),
    ("reuse factor", "reuse"),
)

COLUMNS: tuple[tuple[str, str], ...] = (
    ("Neural Network Name", "network"),
    ("Layer Number", "layer"),
    ("NumPEs", "num_pes"),
    ("Runtime (Cycles)", "runtime_cycles"),
    ("Activity count-based Energy (nJ)", "energy_nj"),
    ("Throughput (MACs/Cycle)", "macs_per_cycle"),
    ("Throughput Per Energy (GMACs/s*J)", "macs_per_cycle_per_joule"),
    ("Area", "area_um2"),
    ("Power", "power_mw"),
    ("NoC BW Req (Elements/cycle)", "peak_bandwidth"),
    ("Avg BW Req", "average_bandwidth"),
    ("Peak BW Req", "peak_bandwidth"),
    ("Vector Width", "simd_lanes"),
    ("Offchip BW Req (Elements/cycle)", "offchip_bandwidth"),
    (" L2 SRAM Size Req (Bytes)", "l2_required_elements"),
    ("L1 SRAM Size Req (Bytes)", "l1_required_elements"),
    ("Multicasting Factor (Weight)", "weight_multicast"),
    ("Multicasting Factor (Input)", "input_multicast"),
    ("Num Total Input Pixels", "input_elements"),
    ("Num Total Weight Pixels", "weight_elements"),
    ("Ops/J", "macs_per_joule"),
    ("Num MACs", "macs"),
    ("PE power", "pe_power_mw"),
    ("L1 power", "l1_power_mw"),
    ("L2 power", "l2_power_mw"),
    ("NOC power", "noc_power_mw"),
    *((f"{word} {count}", f"{name}.{field}") for word, name in _TENSORS for count, field in _ACCESSES),
    ("Ingress Delay (Min)", "ingress_delay.least_cycles"),
    ("Ingress Delay (Max)", "ingress_delay.most_cycles"),
    ("Ingress Delay (Avg)", "ingress_delay.average_cycles"),
    ("Egress Delay (Min)", "egress_delay.least_cycles"),
    ("Egress Delay (Max)", "egress_delay.most_cycles"),
    (" Egress Delay (Avg)", "egress_delay.average_cycles"),
    ("Compute Delay (Min)", "compute_delay.least_cycles"),
    ("Compute Delay (Min)", "compute_delay.most_cycles"),  # MAESTRO's header calls the maximum so
    ("Compute Delay (Avg)", "compute_delay.average_cycles"),
    ("Avg number of utilized PEs", "active_pes"),
    ("Arithmetic Intensity", "macs_per_element"),
)
"""Leading spaces in the words are MAESTRO's."""

HEADER_JOINED = frozenset({31, 36, 41, 47, 50})
"""Columns that the header line joins to the one before by a bare comma; the others by comma and space."""

FIRST_SPACED_CELL = 27
"""From this column on, cells follow comma and space; before it, a bare comma."""
