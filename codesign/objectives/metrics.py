"""Every figure that a provider may give and a search may ask for, by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mappings.registry import Registry


@dataclass(frozen=True)
class Metric:
    """One figure of a design.

    Attributes:
        summary: what it is.
        unit: "" for a share or a count.
        maximize: more is better.
        ratio: differences count as ratios (times, energies, sizes): plots and distances take the logarithm.
        share: between 0 and 1.
    """

    summary: str
    unit: str = ""
    maximize: bool = False
    ratio: bool = True
    share: bool = False

    @property
    def direction(self) -> str:
        """As Optuna calls it."""
        return "maximize" if self.maximize else "minimize"

    @property
    def span(self) -> tuple[float, float]:
        """Between what its figures lie: a limit elsewhere is met by all designs, or by none."""
        return (0.0 if self.ratio or self.share else -math.inf), (1.0 if self.share else math.inf)


def _register_builtins(registry: Registry[Metric]) -> None:
    for name, metric in {
        "accuracy": Metric(
            "share of held-out samples classified correctly; mIoU, or mAP",
            maximize=True,
            ratio=False,
            share=True,
        ),
        "latency_ms": Metric("of one input", "ms"),
        "latency_cycles": Metric("of one input", "cycles"),
        "throughput_per_s": Metric("inputs a second", "1/s", maximize=True),
        "energy_uj": Metric("of one input", "uJ"),
        "edp_uj_ms": Metric("energy times delay", "uJ ms"),
        "onchip_energy_uj": Metric("of one input, DRAM's left out", "uJ"),
        "onchip_edp_uj_ms": Metric("energy without DRAM's times delay", "uJ ms"),
        "power_mw": Metric("mean while it runs", "mW"),
        "area_mm2": Metric("of silicon", "mm2"),
        "dsp": Metric("multiplier blocks of an FPGA"),
        "bram36": Metric("36-kbit memory blocks of an FPGA"),
        "lut": Metric("look-up tables of an FPGA"),
        "ff": Metric("flip-flops of an FPGA"),
        "fill": Metric("largest share of a device's resource that is taken"),
        "buffer_bytes": Metric("on-chip memory", "bytes"),
        "dram_bytes": Metric("moved to and from DRAM for one input", "bytes"),
        "weight_bytes": Metric("of all weights at their width", "bytes"),
        "macs": Metric("multiply-accumulates of one input"),
        "parameters": Metric("weights and biases"),
        "expert_distance": Metric("of a network to one that an expert made", ratio=False),
        "teacher_likeness": Metric("of what a network and a trained one find similar", maximize=True, ratio=False),
        "block_error": Metric("of a network's blocks against a teacher's features, summed", ratio=False),
        "synflow": Metric("synaptic flow of the untrained network, its logarithm", maximize=True, ratio=False),
        "naswot": Metric("how the untrained network tells images apart", maximize=True, ratio=False),
        "snip": Metric("sensitivity of the loss to the untrained weights, its logarithm", maximize=True, ratio=False),
    }.items():
        registry.register(name, metric)


METRICS: Registry[Metric] = Registry("metric", _register_builtins)
