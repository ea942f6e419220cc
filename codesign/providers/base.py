"""What a provider is: it says which metrics it gives and what it needs, prepares once, and measures batches.

Cost and accuracy have the same contract. Providers stand in a recipe in order, cheap to dear: what one measures of a
design may break a limit, and then the dearer ones never see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from accel_models.design import Design
from accel_models.report import Infeasible
from codesign.decisions import Point
from codesign.progress import Reporter, Silent
from mappings.workload import Workload

if TYPE_CHECKING:
    from codesign.accuracy.cluster import Cluster


@dataclass(frozen=True)
class Candidate:
    """One point, decoded: what providers measure.

    Attributes:
        point: its decisions.
        network: key of the network alone (equal keys, equal networks, equal accuracy), e.g. a digest.
        workload: the network, where the space has workloads.
        table_row: row of the network in the space's table, where it has one.
        hardware: the accelerator as its space makes it (a Template, an Accelerator, a published machine, ...).
        design: workload, accelerator and mappings, where they make one and it was asked for.
        caps: most output rows and channels of a tile, where the mapping is the template's own under such caps.
        broken: bounds that the space itself found broken (then there may be no design).
    """

    point: Point
    network: str = ""
    workload: Workload | None = None
    table_row: int | None = None
    hardware: Any = None
    design: Design | None = None
    broken: tuple[Infeasible, ...] = ()
    caps: tuple[int, int] | None = None

    @property
    def mapped(self) -> Design | tuple[int, int] | None:
        """How the network runs on the accelerator: what a cost provider needs to know."""
        return self.caps if self.design is None else self.design


@dataclass(frozen=True)
class Measurement:
    """What one provider found of one candidate.

    Attributes:
        metrics: figures by name; all that the provider declares, unless a bound is broken.
        broken: bounds of the device or the hardware.
        detail: what else is kept with the trial; plain values.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    broken: tuple[Infeasible, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProviderContext:
    """What a provider is made from.

    Attributes:
        seed: of the run.
        device: budget, by name or path.
        space: the search space, for what a provider asks of it (data set, table, supernet).
        folder: where what is prepared is kept, by digest.
        jobs: worker processes.
        options: all options of the provider, by name.
        reporter: where long preparations are told.
        cluster: whose workers do dear work in place of processes of this machine, where one is given.
    """

    seed: int
    device: str
    space: Any
    folder: Path
    jobs: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    reporter: Reporter = field(default_factory=Silent)
    cluster: Cluster | None = None


class Provider(Protocol):
    """Measures candidates. A result depends on the context and the candidate alone, never on order or process."""

    #: Metrics that it gives.
    metrics: tuple[str, ...]
    #: Fields of :class:`Candidate` that it reads, e.g. ("design",), ("workload",), ("table_row",).
    needs: tuple[str, ...]
    #: By what results may be kept and shared: "network" (accuracy) or "design" (cost).
    key: str

    def prepare(self) -> None:
        """Load a table, train a supernet, fit a predictor: once, kept by digest, gone on with after a kill."""
        ...

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """One measurement a candidate, in order."""
        ...
