"""Accuracy by table: benchmarks whose authors trained every network of a space.

A table is a file of the user's, read by path; its columns (``.csv``, ``.csv.gz``) or keys (``.json``) show what it is:

* NAS-Bench-201 (Dong 2020) as CSV: ``arch_str`` and accuracies in percent by data set and split, see :data:`COLUMNS`;
* NAS-Bench-Macro (Su 2021) as published (JSON), or the same as CSV (``arch``, ``mean_acc``);
* NAS-Bench-101 (Ying 2019) as published (``.tfrecord``), the mean of a cell's trainings.

Files of pickled objects (NATS-Bench's own) are refused: reading one runs whatever code it holds.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from codesign import options
from codesign.providers.accuracy import nasbench101_file
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.spaces.network import nasbench201, nasbench_macro
from mappings.errors import Fault, SpecError
from mappings.files import gunzipped, read_bytes, read_head

#: Epochs of the trainings that tables know, the longest first.
EPOCHS = (200, 108, 36, 12, 4)
#: Splits that a table may know: of so many epochs, or what the table has one of.
SPLITS = (*(f"{part}_{epochs}" for epochs in EPOCHS for part in ("val", "test")), "test")
#: Column of each data set and split of NAS-Bench-201; several names are in use.
COLUMNS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("cifar10", "test_200"): ("c10_test_200ep",),
    ("cifar100", "test_200"): ("c100_test_200ep",),
    ("imagenet16", "test_200"): ("in16_test_200ep",),
    ("cifar10", "val_200"): ("c10_val_200ep",),
    ("cifar100", "val_200"): ("c100_val_200ep",),
    ("imagenet16", "val_200"): ("in16_val_200ep",),
    ("cifar10", "val_12"): ("m12_cifar10_val", "c10_val_12ep"),
    ("cifar100", "val_12"): ("m12_cifar100_val", "c100_val_12ep"),
    ("imagenet16", "val_12"): ("m12_imagenet_val", "in16_val_12ep"),
    ("cifar10", "test_12"): ("m12_cifar10_test", "c10_test_12ep"),
    ("cifar100", "test_12"): ("m12_cifar100_test", "c100_test_12ep"),
    ("imagenet16", "test_12"): ("m12_imagenet_test", "in16_test_12ep"),
}
DATASETS = tuple(nasbench201.DATASETS)
_MOST_BYTES = 2**30
_LONGEST_VAL, _LONGEST_TEST = ([f"{part}_{epochs}" for epochs in EPOCHS] for part in ("val", "test"))
_SHORT = [f"{part}_{epochs}" for part in ("val", "test") for epochs in (4, 12)]
_ADVICE = (
    "a NAS-Bench-201 table (.csv or .csv.gz with arch_str), NAS-Bench-101's .tfrecord, "
    "or a NAS-Bench-Macro table (.json, .csv with mean_acc)"
)

TABLE_OPTIONS = {
    "file": options.text(what="the path of a table", required=True),
    "dataset": options.name("", ("", *DATASETS)),
    "search": options.name("", ("", *SPLITS)),
    "front": options.name("", ("", *SPLITS)),
    "short": options.name("", ("", *SPLITS)),
    "smaller": options.list_of(options.name("cifar10", DATASETS), ()),
}


@dataclass(frozen=True)
class AccuracyTable:
    """Accuracies of every network of one benchmark.

    Attributes:
        benchmark: "nasbench201", "nasbench101" or "nasbench_macro".
        accuracy: share of samples classified correctly, by (data set, split), then by the network's published name.
    """

    benchmark: str
    accuracy: Mapping[tuple[str, str], Mapping[str, float]]

    def splits(self, dataset: str) -> tuple[str, ...]:
        """What it knows of a data set, in the order of :data:`SPLITS`."""
        return tuple(split for split in SPLITS if (dataset, split) in self.accuracy)


def read_table(path: str) -> AccuracyTable:
    """A table from its file.

    Raises:
        SpecError: no file, a table of another benchmark, or a damaged one; one line.
    """
    try:
        changed = Path(path).stat().st_mtime_ns
    except (OSError, ValueError):
        raise SpecError(Fault(path, "is no file", _ADVICE)) from None
    return _read(path, changed)


@lru_cache(maxsize=4)
def _read(path: str, changed: int) -> AccuracyTable:
    if any(part.startswith(".pickle") or part in (".pkl", ".pth", ".pt") for part in Path(path).suffixes):
        raise SpecError(Fault(path, "is pickled, and reading a pickle runs the code in it", _ADVICE))
    if nasbench101_file.begins_so(read_head(path)):
        parts = nasbench101_file.read(path).items()
        return AccuracyTable("nasbench101", {("cifar10", f"{part}_{epochs}"): rows for (part, epochs), rows in parts})
    try:
        text = gunzipped(read_bytes(path, _MOST_BYTES), path, _MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(Fault(path, f"cannot be read: {error}", _ADVICE)) from None
    if text.lstrip()[:1] == "{":
        return _macro_json(path, text)
    lines = csv.DictReader(io.StringIO(text, newline=""))
    try:
        header = list(lines.fieldnames or ())
        if "arch_str" in header:
            return _nasbench201(path, list(lines), header)
        if {"arch", "mean_acc"} <= set(header):
            rows = list(lines)
            found = _column(path, [row["arch"] for row in rows], [row["mean_acc"] for row in rows], "mean_acc")
            return _macro(path, found)
    except csv.Error as error:
        raise SpecError(Fault(path, f"cannot be read: {error}", _ADVICE)) from None
    shown = ", ".join(header[:6])[:80]
    raise SpecError(Fault(path, f"is no table of a known benchmark: its columns are {shown}", _ADVICE))


def _nasbench201(path: str, rows: Sequence[Mapping[str, Any]], header: Sequence[str]) -> AccuracyTable:
    names = [str(row["arch_str"]).strip() for row in rows]
    _whole(path, names, lambda name: nasbench201.operations_of(name) is not None, 15_625, "NAS-Bench-201")
    accuracy = {}
    for key, columns in COLUMNS.items():
        for column in columns:
            if column in header:
                accuracy[key] = _column(path, names, [row[column] for row in rows], column)
    if not accuracy:
        known = ", ".join(columns[0] for columns in COLUMNS.values())
        raise SpecError(Fault(path, "has no column of accuracies", f"one of {known}"))
    return AccuracyTable("nasbench201", accuracy)


def _macro_json(path: str, text: str) -> AccuracyTable:
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise SpecError(Fault(path, f"is damaged: {error}", _ADVICE)) from None
    bad = next((name for name, item in raw.items() if not isinstance(item, dict) or "mean_acc" not in item), None)
    if not raw or bad is not None:
        shown = str(bad)[:40]
        raise SpecError(Fault(path, f'is no table of a known benchmark: "{shown}" has no "mean_acc"', _ADVICE))
    return _macro(path, _column(path, list(raw), [item["mean_acc"] for item in raw.values()], "mean_acc"))


def _macro(path: str, found: dict[str, float]) -> AccuracyTable:
    _whole(path, list(found), nasbench_macro.digits_of, 3**nasbench_macro.PLACES, "NAS-Bench-Macro")
    return AccuracyTable("nasbench_macro", {("cifar10", "test"): found})


def _whole(path: str, names: Sequence[str], valid: Callable[[str], bool], count: int, benchmark: str) -> None:
    bad = next((name for name in names if not valid(name)), None)
    if bad is not None:
        raise SpecError(Fault(path, f'names "{bad[:80]}", which {benchmark} does not have', _ADVICE))
    if len(names) != count or len(set(names)) != count:
        what = f"is damaged: {len(names):,} rows of {len(set(names)):,} networks"
        raise SpecError(Fault(path, what, f"each of the {count:,} of {benchmark} once"))


def _column(path: str, names: Sequence[str], values: Sequence[Any], column: str) -> dict[str, float]:
    """Percent to shares."""
    out = {}
    for name, value in zip(names, values, strict=True):
        try:
            percent = float(value)
        except (TypeError, ValueError):
            percent = math.nan
        if not 0 <= percent <= 100:
            what = f"is damaged: {column} of {name[:80]} is {str(value)[:20]!r}"
            raise SpecError(Fault(path, what, "a number from 0 to 100"))
        out[name] = percent / 100
    return out


class TableProvider:
    """Looks networks up.

    Options: ``file``; ``dataset``, the space's where it is left out; ``search``, the split that the search sees (left
    out: the longest training's validation, else test), and ``front``, the one that the front is told (left out: the
    longest training's test). A measurement of less than full fidelity reads the split ``short``
    (left out: the shortest training, else the one that ``search`` is) of the data set, or of one of ``smaller``: of so
    many data sets each has an equal share of the fidelities below 1, in order.

    Args:
        context: of the run.
    """

    metrics = ("accuracy",)
    needs = ("network",)
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        self._context, self._options, self._space = context, context.options, context.space.network
        self._search: Mapping[str, float] = {}
        self._front: Mapping[str, float] = {}
        self._short: list[Mapping[str, float]] = []

    def prepare(self) -> None:
        """Read the table.

        Raises:
            SpecError: it is damaged, of another benchmark or data set, or does not know the split.
        """
        path = str(self._options["file"])
        with self._context.reporter.task("reading the table", None):
            table = read_table(path)
        benchmark = getattr(self._space, "benchmark", "")
        if table.benchmark != benchmark:
            what = f"is a table of {table.benchmark}, and the networks searched are "
            what += f"those of {benchmark}" if benchmark else "in none (another space, or a reduced skeleton)"
            raise SpecError(Fault(path, what, f"network: {table.benchmark}, as published"))
        dataset = str(self._options["dataset"] or self._space.dataset)
        if dataset != self._space.dataset:
            what = f'is "{dataset}", and the networks searched are for {self._space.dataset}'
            raise SpecError(Fault("providers.table.dataset", what, self._space.dataset))
        known = table.splits(dataset)
        if not known:
            raise SpecError(
                Fault(path, f"knows nothing of {dataset}", ", ".join(sorted({d for d, _ in table.accuracy})))
            )
        searched = (*_LONGEST_VAL, *_LONGEST_TEST, "test")
        self._search = self._split(table, dataset, "search", searched)
        self._front = self._split(table, dataset, "front", (*_LONGEST_TEST, "test"))
        if self._options["smaller"]:
            self._short = [self._split(table, name, "short", searched) for name in self._options["smaller"]]
        elif self._options["short"] or any(name in known for name in _SHORT):
            self._short = [self._split(table, dataset, "short", _SHORT)]

    def _split(self, table: AccuracyTable, dataset: str, what: str, preferred: Sequence[str]) -> Mapping[str, float]:
        """Accuracies of the split that an option names, or of the first that is preferred and known."""
        known = table.splits(dataset)
        if not known:
            others = ", ".join(sorted({name for name, _ in table.accuracy}))
            raise SpecError(Fault(f"providers.table.{what}", f"the table knows nothing of {dataset}", others))
        split = str(self._options[what]) or next((name for name in preferred if name in known), known[0])
        if split not in known:
            fault = Fault(f"providers.table.{what}", f'"{split}" of {dataset} is not in the table', ", ".join(known))
            raise SpecError(fault)
        return table.accuracy[dataset, split]

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Accuracy of each network as the search sees it."""
        return [found for _, found in self.stream(candidates)]

    def stream(self, candidates: Iterable[Candidate], fidelity: float = 1.0) -> Iterator[tuple[str, Measurement]]:
        """Each network's key with its accuracy.

        Args:
            fidelity: below 1: of the short training, or of a smaller task.

        Raises:
            SpecError: a short training that the table does not know, or a network that was compressed.
        """
        found = self._search
        if fidelity < 1.0:
            if not self._short:
                what = "is asked for short trainings, of which the table knows none"
                raise SpecError(Fault("providers.table.short", what, "short, smaller, or a driver of one fidelity"))
            found = self._short[int(fidelity * len(self._short))]
        for candidate in candidates:
            yield candidate.network, Measurement({"accuracy": self._of(candidate.network, found)})

    def reported(self, network: str) -> dict[str, float]:
        """Accuracy of a network as the front is told it, by part."""
        return {"test": self._of(network, self._front)}

    @staticmethod
    def _of(network: str, accuracies: Mapping[str, float]) -> float:
        if network not in accuracies:
            what = "knows networks as they were published, and is asked for a compressed one"
            raise SpecError(Fault("providers.table", what, "compression: none"))
        return accuracies[network]
