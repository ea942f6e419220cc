"""MAESTRO's mapping file (``.m``): a network, its layers, and the directives of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from accel_models.published.maestro.text import INT32_MAX, Source, Word, read_source, shown
from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError, nearest

KINDS = ("CONV", "DSCONV", "NGCONV", "GEMM", "TRCONV")
DIM_NAMES = ("N", "G", "K", "C", "R", "S", "Y", "X", "Y'", "X'", "M")
_MAX_FAULTS = 12


@dataclass(frozen=True)
class MaestroLayer:
    """One layer as written.

    Attributes:
        name: of the layer.
        kind: one of :data:`KINDS`.
        dims: declared dims and their sizes, in order of declaration.
        stride_y, stride_x: input steps between outputs.
        directives: as written, sizes resolved.
        place: ``file:line:column`` of the layer's name.
        directive_places: the same of each directive.
    """

    name: str
    kind: str
    dims: tuple[tuple[str, int], ...]
    stride_y: int
    stride_x: int
    directives: tuple[Directive, ...]
    place: str
    directive_places: tuple[str, ...]


@dataclass(frozen=True)
class MaestroNetwork:
    """A mapping file."""

    name: str
    layers: tuple[MaestroLayer, ...]


def read_mapping(given: Path | str) -> MaestroNetwork:
    """Reads a ``.m`` file (a ``Path``) or text (a ``str``).

    Raises:
        SpecError: every fault with its line and column: the first syntax error, or all wrong names, sizes and
            coverages of an input that can be read to its end.
    """
    return _Parser(read_source(given, "<mapping>")).network()


class _Parser:
    """Recursive descent over the words; faults that do not stop the reading are collected."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.next = 0
        self.faults: list[Fault] = []
        self.constants: dict[str, int] = {}

    # -- words ---------------------------------------------------------------------------------------------------

    def peek(self) -> Word:
        words = self.source.words
        return words[self.next] if self.next < len(words) else self.source.end

    def take(self) -> Word:
        word = self.peek()
        self.next += 1
        return word

    def fail(self, word: Word, what: str, allowed: str = "") -> NoReturn:
        """Stops at a syntax error, the faults found so far before it."""
        raise SpecError([*self.faults[: _MAX_FAULTS - 1], Fault(self.source.at(word), what, allowed)])

    def note(self, word: Word, what: str, allowed: str = "") -> None:
        self.faults.append(Fault(self.source.at(word), what, allowed))

    def expect(self, text: str, after: str) -> Word:
        word = self.take()
        if word.text != text:
            found = shown(word.text) if word.text else "the end of the text"
            self.fail(word, f"{found} {after}", f'"{text}"')
        return word

    def new_name(self, what: str) -> Word:
        word = self.take()
        if word.text in ("", "{", "}"):
            self.fail(word, f"{what} is missing", "a name")
        if not word.text.isprintable() or '"' in word.text:
            self.note(word, f"{what} is {shown(word.text)}", "printable characters without quotes")
        return word

    def number(self, least: int, what: str) -> int:
        """A decimal number or a Constant; a number that is out of range is noted, so that the reading goes on."""
        word = self.take()
        value = self.constants.get(word.text)
        if value is None:
            if not (word.text.isascii() and word.text.isdigit()):
                found = shown(word.text) if word.text else "missing"
                hint = nearest(word.text[:40], self.constants)
                self.fail(word, f"{what} is {found}{hint}", f"an integer from {least} to {INT32_MAX}, or a Constant")
            value = int(word.text[:19])
        if not least <= value <= INT32_MAX:
            self.note(word, f"{what} is {shown(word.text)}", f"an integer from {least} to {INT32_MAX}")
            return max(least, 1)
        return value

    # -- grammar -------------------------------------------------------------------------------------------------

    def network(self) -> MaestroNetwork:
        self.read_constants()
        self.expect("Network", "where a Network starts")
        name = self.new_name("the name of the Network")
        self.expect("{", "after the name of the Network")
        layers: list[MaestroLayer] = []
        while self.peek().text == "Layer":
            layers.append(self.layer())
            self.read_constants()
        end = self.expect("}", "where a Layer or the end of the Network is due")
        if not layers:
            self.fail(end, "the Network has no Layer", "one Layer or more")
        if self.peek().text:
            self.fail(self.peek(), f"{shown(self.peek().text)} after the end of the Network", "the end of the text")
        if self.faults:
            shown_faults = self.faults[:_MAX_FAULTS]
            if len(self.faults) > _MAX_FAULTS:
                more = len(self.faults) - _MAX_FAULTS
                shown_faults.append(Fault(self.source.name, f"and {more} faults more"))
            raise SpecError(shown_faults)
        return MaestroNetwork(name.text, tuple(layers))

    def read_constants(self) -> None:
        while self.peek().text == "Constant":
            self.take()
            name = self.new_name("the name of a Constant")
            if name.text in self.constants:
                self.note(name, f"Constant {shown(name.text)} is given twice")
            self.constants[name.text] = self.number(0, f"Constant {name.text[:40]}")

    def layer(self) -> MaestroLayer:
        self.take()
        name = self.new_name("the name of a Layer")
        self.expect("{", "after the name of a Layer")
        kind: str | None = None
        dims: dict[str, int] | None = None
        stride: dict[str, int] | None = None
        flow: tuple[tuple[Directive, ...], tuple[str, ...]] | None = None
        while (word := self.take()).text != "}":
            if word.text == "Type" and kind is None:
                kind = self.kind()
            elif word.text == "Stride" and stride is None:
                if dims is not None:
                    self.note(word, "Stride after Dimensions", "Stride before Dimensions")
                stride = self.sizes("Stride", ("X", "Y"))
            elif word.text == "Dimensions" and dims is None:
                dims = self.sizes("Dimensions", DIM_NAMES)
            elif word.text == "Dataflow" and flow is None:
                if dims is None:
                    self.fail(word, "Dataflow before Dimensions", "Dimensions before Dataflow")
                flow = self.dataflow(dims)
            else:
                self.unexpected_item(word)
        if kind is None:
            self.note(name, f"layer {shown(name.text)} has no Type", ", ".join(KINDS))
        if dims is None:
            self.note(name, f"layer {shown(name.text)} has no Dimensions")
        elif flow is None:
            # Q10: MAESTRO takes the previous layer's directives, to which it has appended a Cluster, and dies.
            self.note(name, f"layer {shown(name.text)} has no Dataflow", "a Dataflow of its own for each Layer")
        directives, places = flow or ((), ())
        steps = stride or {}
        return MaestroLayer(
            name.text,
            kind or "CONV",
            tuple((dims or {}).items()),
            steps.get("Y", 1),
            steps.get("X", 1),
            directives,
            self.source.at(name),
            places,
        )

    def unexpected_item(self, word: Word) -> NoReturn:
        items = ("Type", "Stride", "Dimensions", "Dataflow", "}")
        if word.text in items:
            self.fail(word, f"{word.text} is given twice in one Layer")
        found = shown(word.text) if word.text else "the end of the text"
        self.fail(word, f"{found} in a Layer{nearest(word.text[:40], items)}", ", ".join(items))

    def kind(self) -> str:
        word = self.take()
        if word.text not in KINDS:
            found = shown(word.text) if word.text else "the end of the text"
            if word.text in ("", "{", "}"):
                self.fail(word, f"layer type is {found}", ", ".join(KINDS))
            self.note(word, f"unknown layer type {found}{nearest(word.text[:40], KINDS)}", ", ".join(KINDS))
            return "CONV"
        return word.text

    def sizes(self, block: str, names: tuple[str, ...]) -> dict[str, int]:
        """``{ name value ... }``."""
        self.expect("{", f"after {block}")
        sizes: dict[str, int] = {}
        while (word := self.take()).text != "}":
            if word.text in ("", "{"):
                self.fail(word, f"{block} is not closed", '"}"')
            if word.text not in names:
                self.note(
                    word, f"unknown dim {shown(word.text)} in {block}{nearest(word.text[:40], names)}", " ".join(names)
                )
            elif word.text in sizes:
                self.note(word, f"{word.text} is given twice in {block}")
            sizes[word.text] = self.number(1, f"{block} {word.text[:40]}")
        return sizes

    def dataflow(self, dims: dict[str, int]) -> tuple[tuple[Directive, ...], tuple[str, ...]]:
        self.expect("{", "after Dataflow")
        directives: list[Directive] = []
        places: list[str] = []
        while (word := self.take()).text != "}":
            places.append(self.source.at(word))
            if word.text == "Cluster":
                directives.append(Cluster(self.size(dims, "Cluster size")))
                kind = self.take()
                if kind.text not in ("P", "L"):
                    self.fail(kind, f"{shown(kind.text)} as the kind of a Cluster", "P or L")
            elif word.text in ("TemporalMap", "SpatialMap"):
                directives.append(self.map(word, dims))
            else:
                found = shown(word.text) if word.text else "the end of the text"
                names = ("TemporalMap", "SpatialMap", "Cluster", "}")
                self.fail(word, f"{found} in a Dataflow{nearest(word.text[:40], names)}", ", ".join(names))
        return tuple(directives), tuple(places)

    def map(self, keyword: Word, dims: dict[str, int]) -> TemporalMap | SpatialMap:
        size = self.size(dims, f"{keyword.text} size")
        offset = self.size(dims, f"{keyword.text} offset")
        word = self.take()
        if word.text in ("", "{", "}"):
            self.fail(word, f"the dim of a {keyword.text} is missing")
        dim = word.text
        if not self.known(dim, dims):
            self.note(word, f"dimension {shown(dim)} not found in the layer{nearest(dim[:40], dims)}", " ".join(dims))
        elif keyword.text == "TemporalMap" and dim in ("R", "S") and not size == offset == dims[dim]:
            self.note(
                keyword,
                f"TemporalMap({size},{offset}) {dim}: MAESTRO takes filter dims whole in time",
                f"TemporalMap(Sz({dim}),Sz({dim})) {dim}",
            )
        return (TemporalMap if keyword.text == "TemporalMap" else SpatialMap)(dim, size, offset)

    @staticmethod
    def known(dim: str, dims: dict[str, int]) -> bool:
        """Whether a directive may name the dim: declared, or the other side (input, output) of a declared one."""
        other = {"Y'": "Y", "X'": "X", "Y": "Y'", "X": "X'"}.get(dim)
        return dim in dims or (other in dims and "M" not in dims)

    def size(self, dims: dict[str, int], what: str) -> int:
        """``Sz(D)``, a Constant or a number."""
        if self.peek().text != "Sz":
            return self.number(1, what)
        self.take()
        word = self.take()
        if word.text in ("", "{", "}"):
            self.fail(word, "Sz has no dim")
        if word.text not in dims:
            self.note(word, f"Sz of dimension {shown(word.text)}, which the layer does not declare", " ".join(dims))
            return 1
        return dims[word.text]
