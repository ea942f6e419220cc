"""Result to page. Everything that is shown passes through Jinja's escaping or its ``tojson``."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from plotly.offline import get_plotlyjs

from mappings.durable import write_durably
from mappings.errors import counted

#: One hue for what the front is about, one for what was measured, greys for the rest.
ACCENT, MEASURED, GREY, BROKEN = "#2456a6", "#d9622b", "#b9c0ca", "#e3b5ae"


#: Accuracies of a deployed network, as the report calls them.
_PARTS = (("held_out", "held-out"), ("test", "test"))


def _hover(point: dict[str, Any], metrics: dict[str, Any], score: str) -> str:
    """The design in a few lines; plotly reads a few HTML tags in it, so text is escaped."""
    hardware = {name: escape(str(value)) for name, value in point["hardware"].items()}
    lines = [f"<b>{escape(point['name'])}</b>"]
    if point["accuracy"]:
        told = [f"{point['accuracy'][part]:.1%} {name}" for part, name in _PARTS if part in point["accuracy"]]
        lines.append(f"{escape(score)} {', '.join(told)}")
    lines += [
        f"{escape(name)} {point['metrics'][name]:,.4g} {escape(metric['unit'])}"
        for name, metric in metrics.items()
        if name != "accuracy"
    ]
    lines.append(f"{point['latency_ms']:.4f} ms ({point['latency_cycles']:,} cycles)")
    if hardware:
        buffers = " / ".join(
            f"{point['hardware'][f'{part}_buffer_bytes'] / 1024:g}" for part in ("input", "weight", "acc", "output")
        )
        lines += [
            "{array} {rows} x {cols}, ".format(**hardware) + f"{point['hardware']['clock_hz'] / 1e6:g} MHz",
            "W{weight_bits} A{act_bits}; buffers ".format(**hardware) + f"{buffers} KiB",
        ]
    lines.append(f"{counted(len(point['layers']), 'layer')}, {point['macs'] / 1e3:,.0f} kMACs")
    return "<br>".join(lines)


def _axis(name: str, metric: dict[str, Any], score: str) -> dict[str, Any]:
    if name == "accuracy":
        return {"title": {"text": f"{score} on held-out images, %"}}
    unit = f", {metric['unit']}" if metric["unit"] else ""
    return {
        "title": {"text": f"{name.rsplit('_', 1)[0] if unit else name}{unit}"},
        "type": "log" if metric["ratio"] else "linear",
    }


def _scatter(result: dict[str, Any], x: str, y: str, colour: str) -> dict[str, Any]:
    """One objective over another, coloured by a third; every design that was measured stands behind the front."""
    points, metrics = result["points"], result["metrics"]
    objectives = result["recipe"]["objectives"]
    column, row = objectives.index(x), objectives.index(y)
    factor = {name: 100 if name == "accuracy" else 1 for name in objectives}

    def cloud(name: str, ok: bool, colour_of: str, symbol: str) -> dict[str, Any]:
        known = [v for good, v in result["cloud"] if good is ok and v[column] is not None and v[row] is not None]
        return {
            "type": "scattergl",
            "mode": "markers",
            "name": name,
            "x": [factor[x] * item[column] for item in known],
            "y": [factor[y] * item[row] for item in known],
            "marker": {"color": colour_of, "size": 5, "opacity": 0.55, "symbol": symbol},
            "hovertemplate": f"{name}: %{{y:.4g}} at %{{x:.4g}}<extra></extra>",
        }

    data = [cloud("over a bound", False, BROKEN, "x-thin-open")]
    layout = {"xaxis": _axis(x, metrics[x], _score(result)), "yaxis": _axis(y, metrics[y], _score(result))}
    if not points:
        return {"data": data, "layout": layout}
    knee = _knee(result)
    data += [
        cloud("searched", True, GREY, "circle"),
        {
            "type": "scatter",
            "mode": "markers",
            "name": "front, deployed",
            "x": [factor[x] * item["metrics"][x] for item in points],
            "y": [factor[y] * item["metrics"][y] for item in points],
            "customdata": [item["name"] for item in points],
            "text": [_hover(item, metrics, _score(result)) for item in points],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "size": 13,
                "color": [factor[colour] * item["metrics"][colour] for item in points],
                "colorscale": [[0, "#cfe0f7"], [0.5, "#5b8fd6"], [1, "#12305f"]],
                "colorbar": {"title": {"text": colour, "side": "right"}, "thickness": 10, "outlinewidth": 0},
                "line": {"color": "white", "width": 1},
            },
        },
        {
            "type": "scatter",
            "mode": "markers+text",
            "name": "knee",
            "x": [factor[x] * knee["metrics"][x]],
            "y": [factor[y] * knee["metrics"][y]],
            "text": ["knee"],
            "textposition": "bottom center",
            "textfont": {"color": MEASURED, "size": 13},
            "hoverinfo": "skip",
            "marker": {"size": 21, "color": "rgba(0,0,0,0)", "line": {"color": MEASURED, "width": 2.5}},
        },
    ]
    if y == "accuracy":
        lowest = 100 * min(item["metrics"][y] for item in points)
        layout["yaxis"]["range"] = [max(0.0, lowest - 12), 101]
    return {"data": data, "layout": layout}


def _knee(result: dict[str, Any]) -> dict[str, Any]:
    knee: dict[str, Any] = next(item for item in result["points"] if item["name"] == result["knee"])
    return knee


def _fronts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The first objective over each of the others, coloured by the one after it."""
    first, *others = result["recipe"]["objectives"]
    if not others:
        return [_scatter(result, first, first, first)]
    return [_scatter(result, x, first, others[(place + 1) % len(others)]) for place, x in enumerate(others)]


def search_charts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """How the search went: each objective's best so far over the designs told, and how many each bound refused."""
    lines, metrics = [], result["metrics"]
    for column, name in enumerate(result["recipe"]["objectives"]):
        up = metrics[name]["maximize"]
        told, best = list[int](), list[float]()
        for number, (ok, values) in enumerate(result["cloud"], 1):
            value = values[column]
            if ok and value is not None and (not best or (value > best[-1] if up else value < best[-1])):
                told.append(number)
                best.append(value)
        if not best or best[-1] <= 0:
            continue
        told.append(len(result["cloud"]))
        best.append(best[-1])
        ratios = [best[-1] / max(value, 1e-12) if up else value / best[-1] for value in best]
        unit = metrics[name]["unit"]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "line": {"shape": "hv", "width": 2},
                "name": _axis(name, metrics[name], _score(result))["title"]["text"]
                .partition(",")[0]
                .removesuffix(" on held-out images"),
                "x": told,
                "y": ratios,
                "text": [f"{value:.1%}" if name == "accuracy" else f"{value:,.4g} {escape(unit)}" for value in best],
                "hovertemplate": "after %{x:,} designs: %{text}<extra></extra>",
            }
        )
    progress = {
        "data": lines,
        "layout": {
            "xaxis": {"title": {"text": "designs told"}, "type": "log" if len(result["cloud"]) > 1000 else "linear"},
            "yaxis": {"title": {"text": "times worse than the best found"}, "type": "log"},
        },
    }
    bounds = sorted(result["tally"]["bounds"].items(), key=lambda item: item[1])
    refused = {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": [count for _, count in bounds],
                "y": [escape(name) for name, _ in bounds],
                "marker": {"color": BROKEN},
                "hovertemplate": "%{y}: broken by %{x:,} designs<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "designs that broke the bound"}},
            "yaxis": {"automargin": True, "type": "category", "showgrid": False},
        },
    }
    if result.get("nearest"):  # nothing is within its bounds, and so nothing is the best
        return [refused]
    return [progress, refused] if bounds else [progress]


def _clock_hz(point: dict[str, Any]) -> float:
    """Cycles a second, from the latency in both."""
    return float(point["latency_cycles"]) / float(point["latency_ms"]) * 1e3


def _bars(point: dict[str, Any], clock_hz: float) -> dict[str, Any]:
    """Columns of the two per-layer charts of one design."""
    components = list(dict.fromkeys(name for layer in point["layers"] for name in layer["energy_pj"]))
    accounts = [layer.get("account_cycles") or {"cycles": layer["cycles"]} for layer in point["layers"]]
    groups = list(dict.fromkeys(name for one in accounts for name in one))
    spent = {name: [1e6 * one.get(name, 0.0) / clock_hz for one in accounts] for name in groups}
    return {
        "names": [layer["name"] for layer in point["layers"]],
        "spent_us": {name: values for name, values in spent.items() if any(values)},
        "bound_by": [layer.get("bound_by", "not told") for layer in point["layers"]],
        "busy": [layer["utilisation"] for layer in point["layers"]],
        "macs": [layer["macs"] for layer in point["layers"]],
        "energy_uj": {
            name: [layer["energy_pj"].get(name, 0.0) / 1e6 for layer in point["layers"]] for name in components
        },
    }


def _checks(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Verifications with their errors in percent, worked out for the page."""
    out = []
    for item in result["verifications"]:
        simulated, predicted = item["simulated_cycles"], item["predicted_cycles"]
        layers = [
            {**layer, "error": 100 * (layer["simulated_cycles"] / max(layer["predicted_cycles"], 1) - 1)}
            for layer in item["layers"]
        ]
        out.append({**item, "layers": layers, "error": 100 * abs(simulated - predicted) / max(simulated, 1)})
    return out


def page(result: dict[str, Any]) -> str:
    """The page as text.

    Args:
        result: plain values of a run's result.
    """
    environment = Environment(
        loader=PackageLoader("codesign.reports"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    points, misses = result["points"], result.get("nearest", ())
    decisions = list(dict.fromkeys(name for item in points for name in item["decisions"]))
    # Decisions that are the same in the whole front are told once, not in a column.
    varying = [name for name in decisions if len({str(item["decisions"].get(name)) for item in points}) > 1]
    fixed = {name: points[0]["decisions"][name] for name in decisions if name not in varying}
    charts = {
        "fronts": _fronts(result),
        "bars": {item["name"]: _bars(item, _clock_hz(item)) for item in points},
        "checks": _checks(result),
        "search": search_charts(result),
        "knee": result["knee"],
        "colours": {"accent": ACCENT, "measured": MEASURED, "grey": GREY},
    }
    return environment.get_template("report.html.j2").render(
        result=result,
        counted=lambda value, noun: f"any number of {noun}s" if value is None else counted(value, noun),
        controller=_named(result["recipe"]["controller"]),
        driver=_named(result["recipe"]["driver"]),
        parts=[part for part in ("held_out", "test") if points and part in points[0]["accuracy"]],
        resources=list(points[0]["resources"]) if points else [],
        score=_score(result),
        knee=_knee(result) if points else None,
        costs=[name for name in result["metrics"] if any(name in item["metrics"] for item in misses)],
        varying=varying,
        fixed=fixed,
        checks=charts["checks"],
        charts=charts,
        plotly=get_plotlyjs(),
    )


def _score(result: dict[str, Any]) -> str:
    """What the metric ``accuracy`` is: "accuracy" itself, or the score of another task."""
    return str(result.get("score", "accuracy"))


def _named(part: Any) -> str:
    """The name of a recipe's part, options or not."""
    return str(part["name"] if isinstance(part, dict) else part)


def write_page(result: dict[str, Any], path: Path) -> None:
    """Write the page; a reader never sees half of it."""
    write_durably(path, page(result))
