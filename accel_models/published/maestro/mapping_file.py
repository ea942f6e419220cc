"""MAESTRO's mapping file (``.m``): a network, its layers, and the directives of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from accel_models.published.maestro.text import INT32_MAX, Source, Word, read_number, read_source, shown
from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError, cut, nearest

KINDS = ("CONV", "DSCONV", "NGCONV", "GEMM", "TRCONV")
DIM_NAMES = ("N", "G", "K", "C", "R", "S", "Y", "X", "Y'", "X'", "M")
_UNCOSTED_KINDS = ("FC", "LSTM", "POOL")
"""Kinds that MAESTRO knows as words and has no cost for."""
_ITEMS = ("Type", "Stride", "Dimensions", "Dataflow", "}")
_MAX_WARNINGS = 12


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
    """A mapping file.

    Attributes:
        name: of the network, "" where none is given.
        layers: in the file's order.
        warnings: what MAESTRO reads otherwise than a person would, each with its place.
    """

    name: str
    layers: tuple[MaestroLayer, ...]
    warnings: tuple[str, ...] = ()


def read_mapping(given: Path | str) -> MaestroNetwork:
    """Reads a ``.m`` file (a ``Path``) or text (a ``str``): all that MAESTRO's own grammar takes, to the same effect.

    The last word before a brace names a network or layer (``Conv2d-1`` is named ``1``), words outside of Networks are
    skipped, blocks come in any order (a Stride before the Dimensions), and those that come twice add up. Where that
    differs from what a person would take, the result's ``warnings`` tell it. Not taken, as nothing sensible comes of it
    in MAESTRO either: dims declared twice, a layer without Type, Dimensions or Dataflow, a number beyond 32 bits.

    Raises:
        SpecError: every fault with its line and column: the first syntax error, or all wrong names, sizes and
            coverages of an input that can be read to its end.
    """
    return _Parser(read_source(given, "<mapping>")).network()


class _Draft:
    """A layer while it is read."""

    def __init__(self, name: Word) -> None:
        self.word = name
        self.name: str | None = None
        self.kind: str | None = None
        self.strides: dict[str, int] = {}
        self.dims: dict[str, int] | None = None
        self.dim_strides: dict[str, int] = {}
        self.directives: list[Directive] = []
        self.places: list[Word] = []
        self.dim_words: list[tuple[Word, str]] = []


class _Parser:
    """Recursive descent over the words; faults that do not stop the reading are collected."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.next = 0
        self.faults: list[Fault] = []
        self.doubts: list[Fault] = []
        self.doubts_before_layer = 0
        self.constants: dict[str, int] = {}
        self.pending_name = ""
        """MAESTRO keeps the names of layers, dims and Constants in one place, whence a layer's Type takes its name."""

    # -- words ---------------------------------------------------------------------------------------------------

    def peek(self) -> Word:
        words = self.source.words
        return words[self.next] if self.next < len(words) else self.source.end

    def take(self) -> Word:
        word = self.peek()
        self.next += 1
        return word

    def fail(self, word: Word, what: str, allowed: str = "") -> NoReturn:
        """Stops at a syntax error: the faults found before it, and what was odd in the layer, may be its cause."""
        causes = self.doubts[self.doubts_before_layer :]
        raise SpecError([*self.faults, *causes, Fault(self.source.at(word), what, allowed)])

    def note(self, word: Word, what: str, allowed: str = "") -> None:
        self.faults.append(Fault(self.source.at(word), what, allowed))

    def doubt(self, word: Word, what: str) -> None:
        self.doubts.append(Fault(self.source.at(word), what))

    def expect(self, text: str, after: str) -> Word:
        word = self.take()
        if word.text != text:
            self.fail(word, f"{_found(word)} {after}", f'"{text}"')
        return word

    def names(self, what: str) -> list[Word]:
        """The words before an opening brace: the last one is the name."""
        found: list[Word] = []
        while (word := self.take()).text != "{":
            if not word.text:
                self.fail(word, f"the end of the text in {what}", '"{"')
            if "{" in word.text or "}" in word.text:
                self.doubt(word, f"a brace glued to a word: {shown(word.text)} is taken as {what}")
            elif word.text in (*_ITEMS, "Layer", "Network"):
                self.doubt(word, f"{shown(word.text)} where an opening brace is due is taken as {what}")
            found.append(word)
        return found

    def number(self, least: int, what: str) -> int:
        """A number or a Constant; one that is out of range is noted, so that the reading goes on."""
        word = self.take()
        value = self.constants.get(word.text)
        if value is None:
            allowed = f"an integer from {least} to {INT32_MAX}, or a Constant"
            number = read_number(word)
            if number is None:
                hint = nearest(word.text, self.constants)
                self.fail(word, f"{what} is {shown(word.text) if word.text else 'missing'}{hint}", allowed)
            if "{" in word.text or "}" in word.text:
                self.fail(word, f"a brace glued to a word: {shown(word.text)}", "white space around braces")
            value = number.value
            if number.doubt:
                self.doubt(word, f"{what}: {number.doubt}")
        if not least <= value <= INT32_MAX:
            self.note(word, f"{what} is {shown(word.text)}", f"an integer from {least} to {INT32_MAX}")
            return max(least, 1)
        return value

    # -- grammar -------------------------------------------------------------------------------------------------

    def network(self) -> MaestroNetwork:
        """The whole text: Constants, Networks (their layers make one), and words that MAESTRO skips."""
        name, networks = "", 0
        layers: list[MaestroLayer] = []
        skipped: list[Word] = []
        while (word := self.take()).text:
            if word.text == "Constant":
                self.constant()
            elif word.text == "Network":
                networks += 1
                found = self.names("the name of a Network")
                name = found[-1].text if found else name
                layers += self.layers()
            elif word.text == "Accelerator":
                self.fail(word, "an Accelerator block, which MAESTRO cannot read to its end", "a hardware file (.hw)")
            else:
                skipped.append(word)
        if not networks:
            word = skipped[0] if skipped else word
            found_text = f"{_found(word)} where a Network starts{nearest(word.text, ('Network',))}"
            self.fail(word, found_text, '"Network"')
        if not layers:
            self.fail(word, "the Network has no Layer", "one Layer or more")
        if skipped:
            more = f" and {len(skipped) - 1} words more" if len(skipped) > 1 else ""
            self.doubt(skipped[0], f"{shown(skipped[0].text)}{more} outside of a Network: skipped, as MAESTRO does")
        if networks > 1:
            self.doubt(word, f"{networks} Networks are taken as one, named by the last, as MAESTRO does")
        if self.faults:
            raise SpecError(self.faults)
        warnings = [str(fault) for fault in self.doubts[:_MAX_WARNINGS]]
        if len(self.doubts) > _MAX_WARNINGS:
            warnings.append(f"{self.source.name}: and {len(self.doubts) - _MAX_WARNINGS} warnings more")
        return MaestroNetwork(name, tuple(layers), tuple(warnings))

    def constant(self) -> None:
        name = self.take()
        if not name.text:
            self.fail(name, "the name of a Constant is missing", "a name")
        value = self.number(0, f"Constant {cut(name.text, 40)}")
        if self.constants.get(name.text, value) != value:
            self.doubt(name, f"Constant {shown(name.text)} is given twice: from here on it is {value}")
        self.constants[name.text] = value
        self.pending_name = name.text

    def layers(self) -> list[MaestroLayer]:
        """Up to the brace that closes the Network."""
        layers: list[MaestroLayer] = []
        while (word := self.take()).text != "}":
            if word.text == "Layer":
                layers.append(self.layer(word))
            elif word.text == "Constant":
                self.constant()
            else:
                self.fail(
                    word,
                    f"{_found(word)} where a Layer or the end of the Network is due{nearest(word.text, ('Layer',))}",
                )
        return layers

    def layer(self, keyword: Word) -> MaestroLayer:
        self.doubts_before_layer = len(self.doubts)
        names = self.names("the name of a Layer")
        if names:
            self.pending_name = names[-1].text
        draft = _Draft(names[-1] if names else keyword)
        while (word := self.take()).text != "}":
            if word.text == "Type":
                self.kind(draft, word)
            elif word.text == "Stride":
                if draft.dims is not None:
                    self.note(word, "Stride after Dimensions", "Stride before Dimensions")
                self.stride(draft)
            elif word.text == "Dimensions":
                self.dimensions(draft)
            elif word.text == "Dataflow":
                self.dataflow(draft)
            else:
                self.fail(word, f"{_found(word)} in a Layer{nearest(word.text, _ITEMS)}", ", ".join(_ITEMS))
        self.doubts_before_layer = len(self.doubts)
        return self.finished(draft)

    def finished(self, draft: _Draft) -> MaestroLayer:
        """The layer, what it lacks noted."""
        name = shown(draft.name or draft.word.text)
        dims = draft.dims or {}
        if draft.kind is None:
            self.note(draft.word, f"layer {name} has no Type", ", ".join(KINDS))
        if not dims:
            self.note(draft.word, f"layer {name} has no Dimensions")
        if not draft.directives:
            # Q10: MAESTRO takes the previous layer's directives, to which it has appended a Cluster, and dies.
            self.note(draft.word, f"layer {name} has no Dataflow", "a Dataflow of its own for each Layer")
        for word, dim in draft.dim_words:
            if not _is_known(dim, dims):
                hint = nearest(dim, dims)
                self.note(word, f"dimension {shown(dim)} not found in the layer{hint}", " ".join(dims))
        for dim in draft.strides:
            if dim not in ("X", "Y") or (dims and dim not in dims):
                self.doubt(
                    draft.word, f"Stride {shown(dim)} of layer {name} changes nothing: it is for declared X and Y"
                )
        return MaestroLayer(
            draft.name or "Layer",
            draft.kind or "CONV",
            tuple(dims.items()),
            draft.dim_strides.get("Y", 1),
            draft.dim_strides.get("X", 1),
            tuple(draft.directives),
            self.source.at(draft.word),
            tuple(self.source.at(word) for word in draft.places),
        )

    def kind(self, draft: _Draft, keyword: Word) -> None:
        word = self.take()
        if word.text in ("", "{", "}"):
            self.fail(word, f"layer type is {_found(word)}", ", ".join(KINDS))
        if word.text in _UNCOSTED_KINDS:
            self.note(word, f"layer type {word.text} has no cost in MAESTRO", ", ".join(KINDS))
        elif word.text not in KINDS:
            self.note(word, f"unknown layer type {_found(word)}{nearest(word.text, KINDS)}", ", ".join(KINDS))
        if draft.kind is not None:
            self.doubt(keyword, f"Type is given twice: {word.text} counts, and the layer loses its name")
        draft.kind = word.text if word.text in KINDS else "CONV"
        draft.name, self.pending_name = self.pending_name or "Layer", ""

    def stride(self, draft: _Draft) -> None:
        for word, value in self.sizes("Stride"):
            draft.strides[word.text] = value

    def dimensions(self, draft: _Draft) -> None:
        dims = draft.dims = draft.dims if draft.dims is not None else {}
        for word, value in self.sizes("Dimensions"):
            self.pending_name = dim = word.text
            if dim in dims:
                self.note(word, f"{shown(dim)} is given twice in Dimensions")
            elif dim not in DIM_NAMES:
                self.doubt(word, f"unknown dim {shown(dim)} in Dimensions{nearest(dim, DIM_NAMES)}")
            dims[dim] = value
            draft.dim_strides[dim] = draft.strides.get(dim, 1)

    def sizes(self, block: str) -> list[tuple[Word, int]]:
        """``{ name value ... }``."""
        self.expect("{", f"after {block}")
        sizes: list[tuple[Word, int]] = []
        while (word := self.take()).text != "}":
            if word.text in ("", "{"):
                self.fail(word, f"{block} is not closed", '"}"')
            sizes.append((word, self.number(1, f"{block} {cut(word.text, 40)}")))
        return sizes

    def dataflow(self, draft: _Draft) -> None:
        self.expect("{", "after Dataflow")
        while (word := self.take()).text != "}":
            if word.text == "Cluster":
                directive: Directive = Cluster(self.size(draft, "Cluster size"))
                kind = self.take()
                if kind.text not in ("P", "L"):
                    self.fail(kind, f"{_found(kind)} as the kind of a Cluster", "P or L")
            elif word.text in ("TemporalMap", "SpatialMap"):
                directive = self.map(word, draft)
            else:
                names = ("TemporalMap", "SpatialMap", "Cluster", "}")
                self.fail(word, f"{_found(word)} in a Dataflow{nearest(word.text, names)}", ", ".join(names))
            draft.directives.append(directive)
            draft.places.append(word)

    def map(self, keyword: Word, draft: _Draft) -> TemporalMap | SpatialMap:
        size = self.size(draft, f"{keyword.text} size")
        offset = self.size(draft, f"{keyword.text} offset")
        word = self.take()
        if word.text in ("", "{", "}"):
            self.fail(word, f"the dim of a {keyword.text} is missing")
        dim = word.text
        draft.dim_words.append((word, dim))
        whole = (draft.dims or {}).get(dim, size)
        if keyword.text == "TemporalMap" and dim in ("R", "S") and not size == offset == whole:
            self.note(
                keyword,
                f"TemporalMap({size},{offset}) {dim}: MAESTRO takes filter dims whole in time",
                f"TemporalMap(Sz({dim}),Sz({dim})) {dim}",
            )
        return (TemporalMap if keyword.text == "TemporalMap" else SpatialMap)(dim, size, offset)

    def size(self, draft: _Draft, what: str) -> int:
        """``Sz(D)`` of a dim declared before, a Constant or a number."""
        if self.peek().text != "Sz":
            return self.number(1, what)
        while (word := self.take()).text == "Sz":
            pass
        dims = draft.dims or {}
        if word.text in ("", "{", "}"):
            self.fail(word, "Sz has no dim")
        if word.text not in dims:
            declared = "declare" if draft.dims is not None else "declare before its Dataflow"
            self.note(word, f"Sz of dimension {shown(word.text)}, which the layer does not {declared}", " ".join(dims))
            return 1
        return dims[word.text]


def _found(word: Word) -> str:
    return shown(word.text) if word.text else "the end of the text"


def _is_known(dim: str, dims: dict[str, int]) -> bool:
    """Whether a directive may name the dim: declared, or the other side (input, output) of a declared one."""
    other = {"Y'": "Y", "X'": "X", "Y": "Y'", "X": "X'"}.get(dim)
    return dim in dims or (other in dims and "M" not in dims)
