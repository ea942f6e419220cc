"""Cost by a learned predictor: fitted once to designs that the exact program priced, with its error on others.

The designs are drawn from the search space itself and kept by digest, so that a resumed run fits the same predictor.
The error is measured on designs whose networks the predictor has not seen.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.neural_network import MLPRegressor

from codesign.contents import by_content
from codesign.controllers.threads import one_thread
from codesign.decisions import Point
from codesign.predictors.base import PredictorContext, make_predictor
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.schedule import ScheduleProvider
from codesign.providers.cost.work import figures_of
from codesign.seeds import derive_seed
from codesign.spaces.network.distance import OperatorGraph
from mappings.durable import write_durably
from mappings.errors import Fault, SpecError, counted
from mappings.files import read_json
from mappings.workload import Workload
from mappings.yamlio import digest

#: Predictions of points.
Model: TypeAlias = Callable[[Sequence[Point]], NDArray[np.float64]]
#: What is predicted; the other metrics follow from these two.
_LEARNED = ("latency_ms", "energy_uj")
#: Designs that are drawn for each that is wanted, before a space is given up in which nothing can be priced.
_TRIES = 20
#: What a file of kept figures may hold.
_MOST_BYTES = 2**28


@dataclass(frozen=True)
class Calibration:
    """Error of one metric on networks that were held out.

    Attributes:
        metric: its name.
        designs: held out.
        mape: mean of |predicted / exact - 1|.
        spearman: rank correlation of predicted with exact.
    """

    metric: str
    designs: int
    mape: float
    spearman: float


class PredictedProvider:
    """A regression of the logarithm of latency and of energy on the decisions.

    Args:
        context: options ``model`` ("trees": boosted trees, "mlp", "gp": a Gaussian process, "graph": a graph network
            over the layers, beside the decisions), ``samples`` (designs that are priced exactly), ``held_out`` (share
            of their networks that is kept apart).
    """

    metrics = ("latency_ms", "throughput_per_s", "energy_uj", "edp_uj_ms", "power_mw")
    needs = ("mapped",)
    key = "design"

    def __init__(self, context: ProviderContext) -> None:
        self._context = context
        self._models: list[Model] = []
        #: Of each learned metric; filled when prepared.
        self.calibration: tuple[Calibration, ...] = ()

    @one_thread
    def prepare(self) -> None:
        """Price designs exactly (or read those that were), fit, and measure the error on networks held out.

        Raises:
            SpecError: hardly any design of the space can be priced.
        """
        points, networks, exact = self._known()
        names = sorted(set(networks))
        rng = np.random.default_rng(derive_seed(self._context.seed, "predictor", "split"))
        apart = max(1, round(float(self._context.options["held_out"]) * len(names)))
        away = set(np.asarray(names)[rng.permutation(len(names))[:apart]])
        held = np.array([name in away for name in networks])
        if held.all() or not held.any():
            what = "has one network alone, so that none can be held out"
            raise SpecError(Fault("provider predicted", what, "a space with networks, or schedule"))
        told = []
        seen, unseen = ([points[row] for row in np.flatnonzero(held == side)] for side in (False, True))
        for column, metric in enumerate(_LEARNED):
            target = np.log(exact[:, column])
            guess, found = np.exp(self._fitted(seen, target[~held])(unseen)), exact[held, column]
            rank = float(spearmanr(guess, found).statistic) if len(found) > 2 else float("nan")
            told.append(Calibration(metric, int(held.sum()), float(np.mean(np.abs(guess / found - 1))), rank))
            self._models.append(self._fitted(points, target))
        self.calibration = tuple(told)
        errors = "; ".join(
            f"{item.metric} off by {100 * item.mape:.1f} % in the mean, rank correlation {item.spearman:.2f}"
            for item in told
        )
        designs = f"{counted(told[0].designs, 'design')} of {counted(apart, 'network')} held out"
        self._context.reporter.say(f"predicted ({self._context.options['model']}), on {designs}: {errors}")

    def _fitted(self, points: Sequence[Point], target: NDArray[np.float64]) -> Model:
        """Predictions of points, fitted to a target."""
        space, seed = self._context.space, derive_seed(self._context.seed, "predictor") % 2**31
        features = space.decisions.features
        if self._context.options["model"] == "graph":
            hooks = {"graph": lambda point: graph_of(space.network_at(point).workload)}
            graph = make_predictor("graph", PredictorContext(space.decisions, seed, hooks))
            graph.fit(points, target[:, None], features(points))
            return lambda asked: graph.predict(asked, features(asked))[0][:, 0]
        model = self._regression(features(points), target, seed)
        return lambda asked: model.predict(features(asked))

    def _regression(self, features: NDArray[np.float64], target: NDArray[np.float64], seed: int) -> Any:
        kind = str(self._context.options["model"])
        model: Any
        if kind == "trees":
            model = GradientBoostingRegressor(n_estimators=300, max_depth=4, subsample=0.8, random_state=seed)
        elif kind == "mlp":
            model = MLPRegressor(
                hidden_layer_sizes=(64, 64), max_iter=800, learning_rate_init=3e-3, alpha=1e-3, random_state=seed
            )
        else:
            # A length of its own a decision: a side of the array counts for more than a tile does.
            lengths = np.full(features.shape[1], 2.0)
            kernel = ConstantKernel(1.0) * RBF(lengths, (0.3, 1e4)) + WhiteKernel(1e-3)
            model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
        with warnings.catch_warnings():  # a decision that changes nothing has a length without end
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(features, target)

    def _known(self) -> tuple[list[Point], list[str], NDArray[np.float64]]:
        """Points, their networks, and exact figures [n, learned]; from the folder where they are kept."""
        space, wanted = self._context.space, int(self._context.options["samples"])
        told = digest([space.digest, by_content(self._context.device), self._context.seed, wanted])
        file = Path(self._context.folder) / f"predicted-{told[:16]}.json"
        if (rows := _kept(file)) is not None:
            return [_point(row[0]) for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows])
        rng = np.random.default_rng(derive_seed(self._context.seed, "predictor", "draws"))
        exact = ScheduleProvider(self._context)
        rows = []
        for _ in range(_TRIES):
            drawn = [space.decisions.draw(rng) for _ in range(wanted - len(rows))]
            decoded = space.decode(drawn, designs=False)
            candidates = [item for item in decoded if item.mapped is not None]
            for item, found in zip(candidates, exact.measure(candidates), strict=True):
                if all(name in found.metrics for name in _LEARNED):
                    rows.append([item.point, item.network, [found.metrics[name] for name in _LEARNED]])
            if len(rows) >= wanted:
                break
        if len(rows) < 10:
            what = f"could price {len(rows)} of {_TRIES * wanted} designs of the space"
            raise SpecError(Fault("provider predicted", what, "a space with designs that run"))
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, json.dumps({"rows": rows, "sha256": digest(rows)}, allow_nan=False))
        return [row[0] for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows])

    @one_thread
    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Predicted figures of each design."""
        if not candidates:
            return []
        points = [candidate.point for candidate in candidates]
        latency, energy = (np.exp(model(points)) for model in self._models)
        return [Measurement(figures_of(float(ms), float(uj))) for ms, uj in zip(latency, energy, strict=True)]


def graph_of(workload: Workload | None) -> OperatorGraph:
    """A network's layers and what flows between them; a label is an operator with its window and stride."""
    assert workload is not None, "what is priced has layers"
    places = {tensor.name: place for place, tensor in enumerate(workload.inputs)}
    labels, edges = ["input"] * len(places), list[tuple[int, int]]()
    for layer in workload.layers:
        places[layer.name] = len(labels)
        edges += [(places[source], places[layer.name]) for source in dict.fromkeys(layer.inputs)]
        labels.append(f"{layer.op} {layer.R}x{layer.S}/{layer.stride[0]}" + (" by group" if layer.groups > 1 else ""))
    return OperatorGraph(tuple(labels), tuple(edges))


def _point(row: Mapping[str, Any]) -> Point:
    """A point as JSON holds it: orders are tuples again."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def _kept(file: Path) -> list[Any] | None:
    """Figures that were priced before; None: not yet, or the file is not whole."""
    try:
        kept = read_json(file, _MOST_BYTES)
    except SpecError:
        return None
    if not isinstance(kept, dict) or set(kept) != {"rows", "sha256"} or digest(kept["rows"]) != kept["sha256"]:
        return None
    rows: list[Any] = kept["rows"]
    return rows
