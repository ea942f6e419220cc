"""From ``torch.nn.Module`` to a workload: ``trace(module, inputs)``, ``load_module("my_module.py:MyNet")``."""

from codesign.trace.loader import load_module
from codesign.trace.lower import supported_operators, trace, trace_network
from codesign.trace.network import TracedLayer, TracedNetwork

__all__ = ["TracedLayer", "TracedNetwork", "load_module", "supported_operators", "trace", "trace_network"]
