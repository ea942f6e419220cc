"""Small mapping files, and one call that costs them."""

from __future__ import annotations

from accel_models.published.maestro import MaestroHardware, MaestroReport, MaestroRow, maestro_cost

CONV1_DIMS = "K: 64, C: 3, R: 7, S: 7, Y: 224, X: 224"
KCP = """
    SpatialMap(1,1) K;
    TemporalMap(64,64) C;
    TemporalMap(Sz(R),Sz(R)) R;
    TemporalMap(Sz(S),Sz(S)) S;
    TemporalMap(Sz(R),1) Y;
    TemporalMap(Sz(S),1) X;
    Cluster(64, P);
    SpatialMap(1,1) C;
    TemporalMap(Sz(R),1) Y;
    TemporalMap(Sz(S),1) X;
    TemporalMap(Sz(R),Sz(R)) R;
    TemporalMap(Sz(S),Sz(S)) S;
"""
"""The channel-parallel dataflow of NVDLA."""


def layer(dims: str, flow: str, kind: str = "CONV", stride: int = 1, name: str = "L") -> str:
    """One Layer block."""
    return (
        f"Layer {name} {{\nType: {kind}\nStride {{ X: {stride}, Y: {stride} }}\n"
        f"Dimensions {{ {dims} }}\nDataflow {{ {flow} }}\n}}\n"
    )


def network(*layers: str) -> str:
    """A mapping file."""
    return "Network net {\n" + "".join(layers) + "}\n"


def hardware(num_pes: int, bandwidth: int = 32, latency: int = 1, offchip: int = 70_000) -> MaestroHardware:
    """Hardware by its figures that matter."""
    return MaestroHardware(num_pes, 1, 1, bandwidth, latency, offchip)


def rows(text: str, given: MaestroHardware, simd_lanes: int = 1) -> tuple[MaestroRow, ...]:
    """The figures of a text that must be accepted."""
    report = maestro_cost(text, given, simd_lanes)
    assert isinstance(report, MaestroReport), report
    return report.rows
