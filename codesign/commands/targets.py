"""What a command is pointed at: a design file, a module of the user's own, or a network by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codesign.design_file import DesignFile
from mappings.errors import Fault, SpecError, nearest
from mappings.quantized import QuantizedNetwork
from mappings.workload import Workload

MAX_ELEMENTS = 2**28


def parse_shape(text: str) -> tuple[int, ...]:
    """``1,3,32,32`` as integers.

    Raises:
        SpecError: not such a list, or too large to try.
    """
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() and 0 < int(part) < 2**31 for part in parts):
        raise SpecError(Fault("--input", f"is {text[:60]!r}", "positive integers: 1,3,32,32"))
    shape = tuple(int(part) for part in parts)
    count = 1
    for extent in shape:
        count *= extent
    if count > MAX_ELEMENTS:
        raise SpecError(Fault("--input", f"has {count:,} elements", f"at most {MAX_ELEMENTS:,}"))
    return shape


def is_design(target: str) -> bool:
    """Whether a target names a design file."""
    return target.endswith((".yaml", ".yml"))


def load_design(target: str) -> DesignFile:
    """A design file.

    Raises:
        SpecError: another kind of target, or a malformed file.
    """
    if not is_design(target):
        raise SpecError(Fault("target", f"is {target[:80]!r}", "a design file: runs/NAME/designs/point_00.yaml"))
    return DesignFile.load(target)


def load_workload(target: str, shapes: Sequence[tuple[int, ...]] = ()) -> Workload:
    """A module of the user's own, traced, or a network by name.

    Args:
        target: ``my_module.py:MyNet``, or a registered network.
        shapes: of a module's inputs.

    Raises:
        SpecError: no such file or network, or a module that can not be traced.
    """
    from codesign.zoo import NETWORKS

    path, _, name = target.rpartition(":")
    if path.endswith(".py") or (name and Path(path).suffix == ".py"):
        if not shapes:
            raise SpecError(Fault("--input", "is missing", "the shape of the module's input: --input 1,3,32,32"))
        import torch

        from codesign.trace import load_module, trace

        return trace(load_module(target), [torch.zeros(shape) for shape in shapes])
    if target not in NETWORKS.names():
        hint = nearest(target, NETWORKS.names())
        allowed = "design.yaml, my_module.py:MyNet, " + ", ".join(NETWORKS.names())
        raise SpecError(Fault("target", f"{target[:80]!r} is no design, module or network{hint}", allowed))
    from codesign.trace import trace

    network = NETWORKS.get(target, "target")
    return trace(network.build(), network.inputs(), target)


def quantized_network(target: str, shape: Sequence[int] = (), samples: int = 4) -> QuantizedNetwork:
    """The integers of a network as it is: 8 bits, scales from a few standard normal inputs.

    Args:
        target: as for :func:`load_workload`.
        shape: of a module's input.
        samples: on which scales are calibrated.

    Raises:
        SpecError: as :func:`load_workload`, or a network that cannot be quantised.
    """
    import torch

    from codesign.quantize import quantize
    from codesign.trace import load_module
    from codesign.zoo import NETWORKS

    if target in NETWORKS.names():
        network = NETWORKS.get(target)
        return quantize(network.build(), network.inputs(samples), name=target)
    generator = torch.Generator().manual_seed(0)
    module = load_module(target).eval()
    return quantize(module, torch.randn(samples, *shape[1:], generator=generator))
