"""Writes random layers in every spelling that MAESTRO's grammar takes; all spellings must be read as equal.

    python benchmarks/maestro_spellings.py [--cases N] [--seed S] [--json]

The other fuzzing (``fuzz_inputs.py``) looks for inputs that are accepted and should not be; this one looks for those
that are refused, or read as something else, and should not be.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.published.maestro import MaestroLayer, MaestroNetwork, read_mapping
from accel_models.published.maestro.mapping_file import KINDS
from benchmarks.common import Figure, show
from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.errors import SpecError

_SEPARATORS = " \t,->():;"
_NAME_LETTERS = "abcXYZ0189_./\\'\"{}[]+*=#&|!?%$@~^`éßЖ层\x1b\x07"
_RESERVED = ("{", "}", "Network", "Constant", "Accelerator")
_DIMS = {
    "CONV": ("N", "K", "C", "R", "S", "Y", "X"),
    "TRCONV": ("K", "C", "R", "S", "Y'", "X"),
    "DSCONV": ("C", "R", "S", "Y", "X'"),
    "NGCONV": ("G", "K", "C", "R", "S", "Y", "X"),
    "GEMM": ("M", "N", "K"),
}
assert set(_DIMS) == set(KINDS)


def random_name(rng: random.Random) -> str:
    """A word that MAESTRO takes as a name."""
    while True:
        name = "".join(rng.choices(_NAME_LETTERS, k=rng.choice((1, 2, 3, 8, 40))))
        if name not in _RESERVED and not name.startswith(("//", "{//", "}//")):
            return name


def random_network(rng: random.Random) -> MaestroNetwork:
    """One to three layers, whose directives need not make sense: it is the reading that is tried."""
    layers = []
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(KINDS)
        dims = {dim: rng.choice((1, 2, 3, 7, 64, 224, 2**31 - 1)) for dim in _DIMS[kind]}
        directives: list[Directive] = []
        for _ in range(rng.randint(1, 8)):
            if rng.random() < 0.2:
                directives.append(Cluster(rng.choice((1, 2, 64))))
                continue
            dim = rng.choice(list(dims))
            if rng.random() < 0.5:
                directives.append(SpatialMap(dim, rng.choice((1, 3, 64)), rng.choice((1, 2))))
            elif dim in ("R", "S"):
                directives.append(TemporalMap(dim, dims[dim], dims[dim]))
            else:
                directives.append(TemporalMap(dim, rng.choice((dims[dim], 5)), rng.choice((dims[dim], 1))))
        stride_y, stride_x = (rng.choice((1, 2, 4)) if dim in dims else 1 for dim in ("Y", "X"))
        layers.append(
            MaestroLayer(random_name(rng), kind, tuple(dims.items()), stride_y, stride_x, tuple(directives), "", ())
        )
    return MaestroNetwork(random_name(rng), tuple(layers))


class Speller:
    """Writes one network in one random spelling, word by word."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.words: list[str] = []
        self.constants: dict[str, int] = {}

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self.rng.random() < probability

    def number(self, value: int, dims: dict[str, int] | None = None, constants: bool = True) -> list[str]:
        """A number: digits, a Constant, or the size of a dim that is declared already."""
        ways = [[str(value)], [f"{value:05d}"], [f"+{value}"], [f"{value}.0"], [f"{value}."]]
        if constants:
            ways += [[name] for name, constant in self.constants.items() if constant == value]
        equal = [dim for dim, size in (dims or {}).items() if size == value]
        if equal:
            ways += 3 * [["Sz", self.rng.choice(equal)]]
            ways.append(["Sz", "Sz", self.rng.choice(equal)])
        return self.rng.choice(ways)

    def title(self, keyword: str, name: str) -> list[str]:
        """A keyword, words that count for nothing, and the name."""
        before = [random_name(self.rng) for _ in range(self.rng.choice((0, 0, 0, 1, 2)))]
        return [keyword, *before, name, "{"]

    def block(self, keyword: str, items: list[list[str]]) -> list[str]:
        """The items in one block or several, of which some may be empty."""
        if self.chance(0.1):
            cut = self.rng.randint(0, len(items))
            return [*self.block(keyword, items[:cut]), *self.block(keyword, items[cut:])]
        return [keyword, "{", *(word for item in items for word in item), "}"]

    def layer(self, layer: MaestroLayer) -> list[str]:
        """One layer, its blocks in an order that MAESTRO takes."""
        dims = list(layer.dims)
        self.rng.shuffle(dims)
        strides = [
            (dim, step) for dim, step in (("Y", layer.stride_y), ("X", layer.stride_x)) if step > 1 or self.chance(0.5)
        ]
        self.rng.shuffle(strides)
        if self.chance(0.1):
            strides.append(("K", 3))  # changes nothing
        type_words = ["Type", layer.kind]
        dim_words = self.block("Dimensions", [[dim, *self.number(size)] for dim, size in dims])
        stride_words = self.block("Stride", [[dim, *self.number(step, constants=False)] for dim, step in strides])
        stride_words = stride_words if strides or self.chance(0.5) else []
        flow_first = self.chance(0.3)
        flow = self.block(
            "Dataflow", [self.directive(item, {} if flow_first else dict(dims)) for item in layer.directives]
        )
        head = [stride_words, type_words] if self.chance(0.3) else [type_words, stride_words]
        blocks = [*head, dim_words]
        blocks.insert(self.rng.randint(0, 2) if flow_first else 3, flow)
        return [*self.title("Layer", layer.name), *(word for block in blocks for word in block), "}"]

    def directive(self, item: Directive, dims: dict[str, int]) -> list[str]:
        """One directive."""
        if isinstance(item, Cluster):
            return ["Cluster", *self.number(item.size, dims), self.rng.choice("PL")]
        return [type(item).__name__, *self.number(item.size, dims), *self.number(item.offset, dims), item.dim]

    def text(self, network: MaestroNetwork) -> bytes:
        """The whole file."""
        words: list[str] = []
        for name in self.rng.sample(("Rows", "k_tile", "Sz_K", "64x", "Layer_Count"), self.rng.randint(0, 3)):
            value = self.rng.choice((0, 1, 2, 3, 64, 224))
            words += ["Constant", name, *self.number(value, constants=False)]
            self.constants[name] = value
        if self.chance(0.1):
            words.append("skipped")
        cut = self.rng.randint(0, len(network.layers)) if self.chance(0.1) else 0
        if cut:
            words += [*self.title("Network", random_name(self.rng)), *self.layers(network, 0, cut), "}"]
        words += [*self.title("Network", network.name), *self.layers(network, cut, len(network.layers)), "}"]
        if self.chance(0.1):
            words += ["}", "skipped", "too"]
        return self.spaced(words)

    def layers(self, network: MaestroNetwork, first: int, last: int) -> list[str]:
        """Some of the layers."""
        return [word for layer in network.layers[first:last] for word in self.layer(layer)]

    def spaced(self, words: list[str]) -> bytes:
        """The words with separators, comments and line ends between them."""
        end = self.rng.choice(("\n", "\n", "\r\n"))
        text = self.rng.choice(("", "", "\ufeff"))
        dense = self.chance(0.2)
        for index, word in enumerate(words):
            text += (self.space(end, dense) if index or self.chance(0.5) else "") + word
        return (text + self.rng.choice(("", end, f" // the end, {{ not {end}", " ; ", f"{end}{end}\t"))).encode()

    def space(self, end: str, dense: bool) -> str:
        """Whatever separates two words."""
        if self.chance(0.05):
            return (
                self.rng.choice((" ", end))
                + "//"
                + self.rng.choice(("", "/ ", " a note } {", "Layer X {", "”-1"))
                + end
            )
        if dense:
            return self.rng.choice(_SEPARATORS)
        return "".join(self.rng.choices(_SEPARATORS + 4 * " ", k=self.rng.randint(1, 4))) + self.rng.choice(
            ("", "", end)
        )


def difference(wanted: MaestroNetwork, found: MaestroNetwork) -> str:
    """What was read as something else, or ""."""
    if (wanted.name, len(wanted.layers)) != (found.name, len(found.layers)):
        return f"network {found.name!r} of {len(found.layers)} layers"
    for layer, other in zip(wanted.layers, found.layers, strict=True):
        for name in ("name", "kind", "stride_y", "stride_x", "directives"):
            if getattr(layer, name) != getattr(other, name):
                return f"layer {layer.name!r}: {name} is {getattr(other, name)!r}, not {getattr(layer, name)!r}"
        if dict(layer.dims) != dict(other.dims):
            return f"layer {layer.name!r}: dims are {other.dims!r}"
    return ""


@dataclass
class Outcome:
    """Counts, and the first failures in words."""

    cases: int = 0
    refused: int = 0
    different: int = 0
    examples: list[str] = field(default_factory=list)


def try_spellings(cases: int, seed: int, spellings_each: int = 10) -> Outcome:
    """Reads ``cases`` spellings, so many of each network; the same seed gives the same files."""
    outcome = Outcome()
    for number in range(cases):
        network = random_network(random.Random(f"{seed}/{number // spellings_each}"))
        text = Speller(random.Random(f"{seed}/{number}/spelling")).text(network)
        outcome.cases += 1
        try:
            complaint = difference(network, read_mapping(text.decode("utf-8")))
            outcome.different += bool(complaint)
        except SpecError as error:
            complaint = f"refused: {error}"
            outcome.refused += 1
        if complaint and len(outcome.examples) < 5:
            outcome.examples.append(f"case {number}: {complaint}: {text!r}")
    return outcome


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    outcome = try_spellings(arguments.cases, arguments.seed)
    for example in outcome.examples:
        print(example, file=sys.stderr)
    lines = [
        Figure("spellings read", outcome.cases, "some", outcome.cases > 0),
        Figure("refused", outcome.refused, "0", outcome.refused == 0),
        Figure("read as something else", outcome.different, "0", outcome.different == 0),
    ]
    return show("maestro_spellings", lines, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
