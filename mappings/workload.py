"""A network as a directed acyclic graph of layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mappings.errors import Fault, SpecError
from mappings.layer import MAX_BITS, MAX_EXTENT, Layer
from mappings.reader import shown
from mappings.yamlio import digest

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class TensorShape:
    """A workload input: ``C`` channels of ``H x W``, batch ``N``."""

    name: str
    N: int = 1
    C: int = 1
    H: int = 1
    W: int = 1
    bits: int = 8


@dataclass(frozen=True)
class Workload:
    """Layers in a topological order, and the inputs that feed them.

    Raises:
        SpecError: a name used twice, an input that names nothing before it.
    """

    name: str
    inputs: tuple[TensorShape, ...]
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        faults: list[Fault] = []
        seen = set()
        for tensor in self.inputs:
            if tensor.name in seen:
                faults.append(Fault(f"workload {self.name}", f'two inputs are called "{tensor.name}"'))
            seen.add(tensor.name)
        for layer in self.layers:
            if layer.name in seen:
                faults.append(Fault(f"workload {self.name}", f'two layers are called "{layer.name}"'))
            faults.extend(
                Fault(f"workload {self.name}: layer {layer.name}", f'input "{source}" is not before it')
                for source in layer.inputs
                if source not in seen
            )
            seen.add(layer.name)
        if faults:
            raise SpecError(faults)

    @cached_property
    def graph(self) -> nx.DiGraph:
        """Nodes are names (attribute ``layer``, absent on inputs); edges follow the data."""
        import networkx as nx  # a third of the time in which a wrong name is refused

        graph = nx.DiGraph()
        graph.add_nodes_from(tensor.name for tensor in self.inputs)
        for layer in self.layers:
            graph.add_node(layer.name, layer=layer)
            graph.add_edges_from((source, layer.name) for source in layer.inputs)
        return graph

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        """Layers by name."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, int, int, int]]:
        """``(N, channels, rows, columns)`` of each input and each layer's output, as they are stored.

        A layer's own ``H`` and ``W_in`` may be smaller than its source: rows that no window touches are not counted.
        """
        shapes = {tensor.name: (tensor.N, tensor.C, tensor.H, tensor.W) for tensor in self.inputs}
        shapes |= {layer.name: (layer.N, layer.channels_out, layer.P, layer.Q) for layer in self.layers}
        return shapes

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the layers that feed no other."""
        used = {source for layer in self.layers for source in layer.inputs}
        return tuple(layer.name for layer in self.layers if layer.name not in used)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(layer.macs for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "inputs": [vars(tensor).copy() for tensor in self.inputs],
            "layers": [layer.to_dict() for layer in self.layers],
        }

    @classmethod
    def from_dict(cls, value: Any, where: str = "workload") -> Workload:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: malformed; all faults at once.
        """
        if not isinstance(value, dict) or set(value) != {"name", "inputs", "layers"}:
            raise SpecError(Fault(where, "is not a workload", "a mapping with name, inputs, layers"))
        if not isinstance(value["layers"], list) or not isinstance(value["inputs"], list):
            raise SpecError(Fault(where, "inputs and layers", "lists"))
        faults: list[Fault] = []
        layers: list[Layer] = []
        for index, item in enumerate(value["layers"]):
            try:
                layers.append(Layer.from_dict(item, f"{where}.layers[{index}]"))
            except SpecError as error:
                faults.extend(error.faults)
        inputs: list[TensorShape] = []
        for index, item in enumerate(value["inputs"]):
            spot = f"{where}.inputs[{index}]"
            known = set(TensorShape.__dataclass_fields__)
            if not isinstance(item, dict) or set(item) - known or not isinstance(item.get("name"), str):
                faults.append(Fault(spot, "is not a tensor", "a mapping of " + ", ".join(sorted(known))))
            elif any(
                type(v) is not int or not 1 <= v <= (MAX_BITS if k == "bits" else MAX_EXTENT)
                for k, v in item.items()
                if k != "name"
            ):
                faults.append(Fault(spot, f"is {shown(item)}", f"extents of 1 to {MAX_EXTENT}, 1 to {MAX_BITS} bits"))
            else:
                inputs.append(TensorShape(**item))
        if faults:
            raise SpecError(faults)
        return cls(str(value["name"]), tuple(inputs), tuple(layers))

    @property
    def digest(self) -> str:
        """Digest of the canonical form."""
        return digest(self.to_dict())
