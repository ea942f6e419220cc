"""A search whose networks are trained by the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codesign.accuracy.cluster import Cluster
from codesign.explorer.options import ExploreOptions
from codesign.explorer.run import explore
from mappings.errors import SpecError
from tests import toy

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'codesign[dask]'")


@pytest.fixture(scope="module")
def start() -> Iterator[Any]:
    """Makes a cluster of threads of this process, which know the toy evaluator."""
    running = []

    def begin(workers: int, threads: int = 1) -> str:
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            processes=False,
            protocol="tcp",
            dashboard_address=None,
            host="127.0.0.1",
        )
        running.append(cluster)
        return str(cluster.scheduler_address).replace("tcp://", "dask://")

    yield begin
    for cluster in running:
        cluster.close()


def test_a_cluster_comes_to_the_front_of_one_process(start: Any, tmp_path: Path) -> None:
    recipe = str(toy.write_recipe(tmp_path / "toy.yaml", 30))
    explore(ExploreOptions(recipe=recipe, out=str(tmp_path / "there"), verify=(), executor=start(1)))
    explore(ExploreOptions(recipe=recipe, out=str(tmp_path / "here"), verify=(), jobs=0))
    fronts = [(tmp_path / name / "front.csv").read_text(encoding="utf-8") for name in ("there", "here")]
    assert fronts[0] == fronts[1]


def test_a_cluster_that_cannot_be_used_is_one_line(start: Any) -> None:
    with pytest.raises(SpecError, match="a worker has several threads"):
        Cluster(start(1, threads=2))
    with pytest.raises(SpecError, match="has no workers"):
        Cluster(start(0))
    for url in ("dask:/host:1", "tcp://host:1", "dask://host", "dask://host:x"):
        with pytest.raises(SpecError, match="--executor: is"):
            Cluster(url)


def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesign.accuracy.cluster._CONNECT_S", 0.5)
    with pytest.raises(SpecError, match="cannot be reached"):
        Cluster("dask://127.0.0.1:1")
