"""What follows from a network's latency and energy, whoever found these."""

from __future__ import annotations


def figures_of(latency_ms: float, energy_uj: float, cycles: int | None = None) -> dict[str, float]:
    """Latency, throughput, energy, energy-delay product and mean power of one input after another.

    Args:
        latency_ms: of one input, above 0.
        energy_uj: of one input.
        cycles: of one input; None: not known apart from the latency.
    """
    counted = {} if cycles is None else {"latency_cycles": float(cycles)}
    return {
        "latency_ms": latency_ms,
        **counted,
        "throughput_per_s": 1e3 / latency_ms,
        "energy_uj": energy_uj,
        "edp_uj_ms": energy_uj * latency_ms,
        "power_mw": energy_uj / latency_ms,
    }
