"""What the report says of a search."""

from typing import Any

import pytest

from codesign.reports.page import search_charts

RESULT: dict[str, Any] = {
    "recipe": {"objectives": ["accuracy", "latency_ms"]},
    "metrics": {
        "accuracy": {"maximize": True, "ratio": False, "unit": ""},
        "latency_ms": {"maximize": False, "ratio": True, "unit": "ms"},
    },
    "cloud": [[False, [0.99, 0.1]], [True, [0.5, 4.0]], [True, [0.4, 2.0]], [True, [None, 1.0]], [True, [0.75, 3.0]]],
    "tally": {"bounds": {"DSP": 1, "LUT": 3}},
}


def test_best_so_far_counts_designs_within_the_bounds_alone() -> None:
    progress, _ = search_charts(RESULT)
    accuracy, latency = progress["data"]
    assert (accuracy["x"], accuracy["text"]) == ([2, 5, 5], ["50.0%", "75.0%", "75.0%"])
    assert accuracy["y"] == pytest.approx([1.5, 1, 1])
    assert (latency["x"], latency["y"], latency["name"]) == ([2, 3, 4, 5], [4, 2, 1, 1], "latency")


def test_bounds_from_the_rarest_to_the_most_frequent() -> None:
    _, refused = search_charts(RESULT)
    assert (refused["data"][0]["y"], refused["data"][0]["x"]) == (["DSP", "LUT"], [1, 3])
    assert len(search_charts({**RESULT, "tally": {"bounds": {}}})) == 1
