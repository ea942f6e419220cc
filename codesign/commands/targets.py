"""What a command is pointed at: a design, a workload, a module of the user's own, or a network by name."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.accelerators import accelerator as find_accelerator
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import Template
from codesign.commands.kinds import Kind
from codesign.design_file import DesignFile
from codesign.explorer.folder import RUN_FILE
from codesign.hardware_file import load_hardware
from mappings.errors import Fault, SpecError, cut, nearest
from mappings.layer import Bits, Layer
from mappings.mapping import Mapping
from mappings.quantized import QuantizedNetwork
from mappings.workload import Workload
from mappings.yamlio import load_yaml

if TYPE_CHECKING:
    from torch import Tensor, nn

MAX_ELEMENTS = 2**28
_SHAPES = "positive integers: 1,3,32,32"
#: Endings of files; any other target is a module or a name.
FILES = (".yaml", ".yml", ".json")
_WORKLOAD = {"name", "inputs", "layers"}
_DESIGN = {"design", "workload"}

#: What Python may point a command at; the command line has the strings alone.
TargetLike: TypeAlias = Union[str, Path, Design, DesignFile, Workload, "nn.Module", "type[nn.Module]"]
#: What Python may give as shapes of inputs: "1,3,32,32", one shape, or one for each input.
ShapesLike: TypeAlias = str | Sequence[int] | Sequence[str] | Sequence[Sequence[int]]
#: Hardware: a name, a YAML file (of an accelerator, a design or a template), or the thing itself.
HardwareLike: TypeAlias = str | Path | Accelerator | Template | Design | DesignFile


@dataclass(frozen=True)
class Target:
    """A target that was read.

    Attributes:
        kind: of which kind it is.
        name: for display and messages.
        value: the design file, the workload, the name of the network, the reference of a module or the module itself.
    """

    kind: Kind
    name: str
    value: Any


def read_target(target: TargetLike) -> Target:
    """Find out what a target is; files are read, modules are not executed yet.

    Raises:
        SpecError: no such file or network, or a malformed file.
    """
    if isinstance(target, DesignFile):
        return Target(Kind.DESIGN, target.name, target)
    if isinstance(target, Design):
        return Target(Kind.DESIGN, target.workload.name, DesignFile(target.workload.name, target))
    if isinstance(target, Workload):
        return Target(Kind.WORKLOAD, target.name, target)
    torch = sys.modules.get("torch")  # who has a module has torch
    if torch is not None and isinstance(target, torch.nn.Module):
        return Target(Kind.MODULE, type(target).__name__, target)
    if torch is not None and isinstance(target, type) and issubclass(target, torch.nn.Module):
        from codesign.trace.loader import built

        return Target(Kind.MODULE, target.__name__, built(target, target.__name__))
    text = str(target)
    if text.endswith(FILES):
        raw: Any = load_yaml(text)
        if isinstance(raw, dict) and set(raw) == _WORKLOAD:
            workload = Workload.from_dict(raw, text)
            return Target(Kind.WORKLOAD, workload.name, workload)
        if isinstance(raw, dict) and not _DESIGN & set(raw):
            _refuse_other(text, raw)
        design = DesignFile.from_document(raw, Path(text))
        return Target(Kind.DESIGN, design.name, design)
    if text.endswith(".py") or ":" in text:  # of a file, or of a module by name
        return Target(Kind.MODULE, text, text)
    from codesign.zoo import NETWORKS

    if text not in NETWORKS.names() and (Path(text) / RUN_FILE).is_file():
        raise SpecError(
            Fault("target", f"{cut(text)} is the folder of a run", f"one of its designs: {_designs(Path(text))}")
        )
    if text not in NETWORKS.names():
        hint = nearest(text, NETWORKS.names())
        allowed = "design.yaml, workload.yaml, my_module.py:MyNet, " + ", ".join(NETWORKS.names())
        raise SpecError(Fault("target", f"{text[:80]!r} is no design, workload, module or network{hint}", allowed))
    return Target(Kind.NETWORK, text, text)


def _designs(run: Path) -> str:
    return str(run / "designs" / "point_00.yaml")


def _refuse_other(path: str, raw: dict[Any, Any]) -> None:
    """Refuse a file that is something else than a network or a design, where it shows what.

    Raises:
        SpecError: hardware alone, or the record of a run.
    """
    if {"array", "template", "levels"} & set(raw):
        allowed = "a network to run on it (my_module.py:MyNet), and this file as --accelerator or --hardware"
        raise SpecError(Fault(path, "is hardware, and no network", allowed))
    if Path(path).name == RUN_FILE and "recipe" in raw:
        raise SpecError(Fault(path, "is the record of a run", f"one of its designs: {_designs(Path(path).parent)}"))


def parse_shape(text: str) -> tuple[int, ...]:
    """``1,3,32,32`` as integers.

    Raises:
        SpecError: not such a list, or too large to try.
    """
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() and len(part) < 20 for part in parts):
        raise SpecError(Fault("--input", f"is {text[:60]!r}", "positive integers: 1,3,32,32"))
    return _checked(tuple(int(part) for part in parts))


def _checked(shape: tuple[int, ...]) -> tuple[int, ...]:
    if not shape or not all(0 < extent < 2**31 for extent in shape):
        raise SpecError(Fault("--input", f"is {str(shape)[:60]}", "positive integers below 2^31: 1,3,32,32"))
    if math.prod(shape) > MAX_ELEMENTS:
        raise SpecError(Fault("--input", f"has {math.prod(shape):,} elements", f"at most {MAX_ELEMENTS:,}"))
    return shape


def shapes_of(given: ShapesLike | None) -> tuple[tuple[int, ...], ...]:
    """Shapes of inputs however they are given; none for None.

    Raises:
        SpecError: not lists of positive integers.
    """
    if given is None:
        return ()
    if isinstance(given, str) or _is_shape(given):
        return (_shape(given),)
    if not isinstance(given, Iterable):
        raise SpecError(Fault("--input", f"is {str(given)[:60]!r}", _SHAPES))
    return tuple(map(_shape, given))


def _is_shape(given: Any) -> bool:
    """Whole numbers alone, of whatever kind: a ``torch.Size``, a row of numpy's."""
    try:
        return len(given) > 0 and all(hasattr(extent, "__index__") and not _is_list(extent) for extent in given)
    except TypeError:
        return False


def _is_list(given: Any) -> bool:
    """A tensor or array has ``__index__``, too, whatever its shape."""
    return bool(getattr(given, "shape", ()))


def _shape(given: Any) -> tuple[int, ...]:
    if isinstance(given, str):
        return parse_shape(given)
    if not _is_shape(given) or any(isinstance(extent, bool) for extent in given):
        raise SpecError(Fault("--input", f"is {str(given)[:60]!r}", _SHAPES))
    return _checked(tuple(map(index, given)))


def load_workload(target: Target, shapes: Sequence[tuple[int, ...]] = ()) -> Workload:
    """The layers of a workload, a module or a network by name.

    Args:
        target: what was read.
        shapes: of a module's inputs; of a network by name, where another than its own is wanted.

    Raises:
        SpecError: a module that can not be loaded or traced, also with inputs of these shapes.
    """
    if target.kind is Kind.WORKLOAD:
        assert isinstance(target.value, Workload)
        return target.value
    if target.kind is Kind.NETWORK:
        from codesign.zoo import NETWORKS

        return NETWORKS.get(target.value).workload(target.value, shapes)
    _needs_shapes(shapes)
    import torch

    from codesign.trace import trace

    return trace(load_float(target), [torch.zeros(shape) for shape in shapes])


def _needs_shapes(shapes: Sequence[tuple[int, ...]]) -> None:
    if not shapes:
        raise SpecError(Fault("--input", "is missing", "the shape of the module's input: --input 1,3,32,32"))


def load_float(target: Target) -> nn.Module:
    """The module with its weights: of a network by name, random ones.

    Raises:
        SpecError: a module that can not be loaded.
    """
    if target.kind is Kind.NETWORK:
        from codesign.zoo import NETWORKS

        return NETWORKS.get(target.value).build()
    if not isinstance(target.value, str):
        module: nn.Module = target.value
        return module
    from codesign.trace import load_module

    return load_module(target.value)


def random_inputs(target: Target, shapes: Sequence[tuple[int, ...]], count: int, seed: int = 0) -> list[Tensor]:
    """Standard normal samples ``[count, ...]`` for each input.

    Raises:
        SpecError: a module without shapes, or a batch of more than one.
    """
    import torch

    if target.kind is Kind.NETWORK and not shapes:
        from codesign.zoo import NETWORKS

        return [NETWORKS.get(target.value).inputs(count, seed)]
    _needs_shapes(shapes)
    faults = [
        Fault("--input", f"is {','.join(map(str, shape))}: a batch of {shape[0]}", "1: hardware takes one at a time")
        for shape in shapes
        if shape[0] != 1
    ]
    if faults:
        raise SpecError(faults)
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, *shape[1:], generator=generator) for shape in shapes]


def find_hardware(hardware: HardwareLike, where: str) -> Accelerator:
    """An accelerator: by name, from a file (`codesign.hardware_file`), or the thing itself.

    Raises:
        SpecError: no such name, or an unreadable or malformed file.
    """
    if isinstance(hardware, DesignFile):
        hardware = hardware.design
    if isinstance(hardware, Design):
        return hardware.accelerator
    if isinstance(hardware, Accelerator):
        return hardware
    if isinstance(hardware, Template):
        return template_accelerator(hardware)
    text = str(hardware)
    if not text.endswith(FILES):
        return find_accelerator(text, where)
    return load_hardware(text)


def mappings_with(hardware: HardwareLike, workload: Workload) -> dict[str, Mapping]:
    """Mappings of the design that names the hardware, if it is a design of the same layers.

    Raises:
        SpecError: an unreadable or malformed file.
    """
    if isinstance(hardware, str | Path):
        raw: Any = load_yaml(str(hardware)) if str(hardware).endswith(FILES) else None
        if not isinstance(raw, dict) or not ("design" in raw or "workload" in raw):
            return {}
        hardware = DesignFile.from_document(raw, Path(str(hardware)))
    design = hardware.design if isinstance(hardware, DesignFile) else hardware
    if not isinstance(design, Design):
        return {}
    return dict(design.mappings) if design.workload.layers == workload.layers else {}


def at_widths(workload: Workload, template: Template) -> Workload:
    """A network as it runs on a template: quantised to the widths of its data."""

    def bits(layer: Layer) -> Bits:
        weight = template.weight_bits if layer.op.spec.weighted else template.act_bits
        return Bits(template.act_bits, weight, template.act_bits, template.acc_bits)

    return Workload(
        workload.name,
        tuple(replace(tensor, bits=template.act_bits) for tensor in workload.inputs),
        tuple(replace(layer, bits=bits(layer)) for layer in workload.layers),
    )


def quantized_network(target: Target, shapes: Sequence[tuple[int, ...]] = (), samples: int = 4) -> QuantizedNetwork:
    """The integers of a network as it is: 8 bits, scales from a few standard normal inputs.

    Args:
        target: a module, or a network by name.
        shapes: of a module's inputs.
        samples: on which scales are calibrated.

    Raises:
        SpecError: as :func:`load_workload`, or a network that cannot be quantised.
    """
    from codesign.quantization.quantize import quantize

    name = target.value if target.kind is Kind.NETWORK else ""
    return quantize(load_float(target), random_inputs(target, shapes, samples), name=name)
