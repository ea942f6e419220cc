"""Our own accelerators: their parameters, cycles, energy and resources."""
