"""Result to page. Everything that is shown passes through Jinja's escaping or its ``tojson``."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from plotly.offline import get_plotlyjs

#: One hue for what the front is about, one for what was measured, greys for the rest.
ACCENT, MEASURED, GREY = "#2456a6", "#d9622b", "#b9c0ca"


def _hover(point: dict[str, Any]) -> str:
    """The design in a few lines; plotly reads a few HTML tags in it, so text is escaped."""
    chosen = {name: escape(str(value)) for name, value in point["decisions"].items()}
    buffers = " / ".join(
        chosen[f"{part}_buffer_kib"] for part in ("input", "weight", "acc", "output") if f"{part}_buffer_kib" in chosen
    )
    lines = [
        f"<b>{escape(point['name'])}</b>",
        f"accuracy {point['accuracy']['held_out']:.1%} held-out, {point['accuracy']['test']:.1%} test",
        f"{point['latency_ms']:.4f} ms ({point['latency_cycles']:,} cycles), {point['energy_uj']:.2f} µJ",
        "{array} {rows} x {cols}, {clock_mhz} MHz".format(**chosen),
        "W{weight_bits} A{act_bits}; buffers ".format(**chosen) + f"{buffers} KiB",
        f"{len(point['layers'])} layers, {point['macs'] / 1e3:,.0f} kMACs",
    ]
    return "<br>".join(lines)


def _scatter(result: dict[str, Any], x: str, x_title: str, colour: str, colour_title: str) -> dict[str, Any]:
    """Accuracy over one objective, coloured by the other; every measured design stands behind the front."""
    points = result["points"]
    column = {"latency_ms": 1, "energy_uj": 2}[x]
    knee = next(item for item in points if item["name"] == result["knee"])
    data = [
        {
            "type": "scattergl",
            "mode": "markers",
            "name": "searched",
            "x": [item[column] for item in result["cloud"]],
            "y": [100 * item[0] for item in result["cloud"]],
            "marker": {"color": GREY, "size": 5, "opacity": 0.55},
            "hovertemplate": "searched: %{y:.1f} % at %{x:.4g}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "front, deployed",
            "x": [item[x] for item in points],
            "y": [100 * item["accuracy"]["held_out"] for item in points],
            "customdata": [item["name"] for item in points],
            "text": [_hover(item) for item in points],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "size": 13,
                "color": [item[colour] for item in points],
                "colorscale": [[0, "#cfe0f7"], [0.5, "#5b8fd6"], [1, "#12305f"]],
                "colorbar": {"title": {"text": colour_title, "side": "right"}, "thickness": 10, "outlinewidth": 0},
                "line": {"color": "white", "width": 1},
            },
        },
        {
            "type": "scatter",
            "mode": "markers+text",
            "name": "knee",
            "x": [knee[x]],
            "y": [100 * knee["accuracy"]["held_out"]],
            "text": ["knee"],
            "textposition": "bottom center",
            "textfont": {"color": MEASURED, "size": 13},
            "hoverinfo": "skip",
            "marker": {"size": 21, "color": "rgba(0,0,0,0)", "line": {"color": MEASURED, "width": 2.5}},
        },
    ]
    lowest = 100 * min(item["accuracy"]["held_out"] for item in points)
    layout = {
        "xaxis": {"title": {"text": x_title}, "type": "log"},
        "yaxis": {"title": {"text": "accuracy on held-out images, %"}, "range": [max(0.0, lowest - 12), 101]},
    }
    return {"data": data, "layout": layout}


def _bars(point: dict[str, Any], clock_hz: float) -> dict[str, Any]:
    """Columns of the two per-layer charts of one design."""
    components = list(dict.fromkeys(name for layer in point["layers"] for name in layer["energy_pj"]))
    return {
        "names": [layer["name"] for layer in point["layers"]],
        "latency_us": [1e6 * layer["cycles"] / clock_hz for layer in point["layers"]],
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
    points = result["points"]
    decisions = list(points[0]["decisions"]) if points else []
    # Decisions that are the same in the whole front are told once, not in a column.
    varying = [name for name in decisions if len({str(item["decisions"][name]) for item in points}) > 1]
    fixed = {name: points[0]["decisions"][name] for name in decisions if name not in varying}
    charts = {
        "latency": _scatter(result, "latency_ms", "latency of one image, ms", "energy_uj", "energy, µJ"),
        "energy": _scatter(result, "energy_uj", "energy of one image, µJ", "latency_ms", "latency, ms"),
        "bars": {item["name"]: _bars(item, 1e6 * float(item["decisions"]["clock_mhz"])) for item in points},
        "checks": _checks(result),
        "knee": result["knee"],
        "colours": {"accent": ACCENT, "measured": MEASURED, "grey": GREY},
    }
    return environment.get_template("report.html.j2").render(
        result=result,
        knee=next(item for item in points if item["name"] == result["knee"]),
        varying=varying,
        fixed=fixed,
        checks=charts["checks"],
        charts=charts,
        plotly=get_plotlyjs(),
    )


def write_page(result: dict[str, Any], path: Path) -> None:
    """Write the page; a reader never sees half of it."""
    partial = path.with_suffix(".partial")
    partial.write_text(page(result), encoding="utf-8")
    partial.replace(path)
