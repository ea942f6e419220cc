"""Fuzzing of MAESTRO's mapping and hardware files."""

from __future__ import annotations

import math

from accel_models.published.maestro import MaestroReport, maestro_cost
from accel_models.report import Infeasible
from benchmarks.fuzzing import InputKind

_TWO_LEVELS = b"""Constant Rows 3;
Network two { // weights stay
	Layer CONV1 {
		Type: CONV
		Stride { X: 2, Y: 2 }
		Dimensions { N: 2, K: 20, C: 6, R: Rows, S: 3, Y: 23, X: 30 }
		Dataflow {
			SpatialMap(1,1) K;
			TemporalMap(4,4) C;
			TemporalMap(Sz(R),Sz(R)) R;
			TemporalMap(Sz(S),Sz(S)) S;
			TemporalMap(Sz(R),1) Y;
			TemporalMap(8,6) X;
			Cluster(4, P);
			SpatialMap(1,1) C;
			TemporalMap(Sz(R),1) Y;
			TemporalMap(Sz(S),1) X;
			TemporalMap(Sz(R),Sz(R)) R;
			TemporalMap(Sz(S),Sz(S)) S;
		}
	}
	Layer DW {
		Type: DSCONV
		Dimensions { C: 10, R: 3, S: 3, Y: 9, X: 9, N: 1 }
		Dataflow {
			TemporalMap(2,2) C;
			SpatialMap(3,1) Y;
			TemporalMap(2,2) X';
			TemporalMap(3,3) R;
			TemporalMap(3,3) S;
		}
	}
}
"""
_FOUR_LEVELS = b"""Network four {
Layer A {
Type: NGCONV
Stride { X 1 Y 1 }
Dimensions { G 2,K 6,C 5,R 3,S 3,Y 12,X' 10 }
Dataflow {
SpatialMap(1,1) Y';
TemporalMap(2,2) X'; TemporalMap(1,1) C; TemporalMap(4,4) K; TemporalMap(1,1) G;
TemporalMap(Sz(R),Sz(R)) R; TemporalMap(Sz(S),Sz(S)) S;
Cluster(Sz(R),P);
SpatialMap(1,1) Y;
SpatialMap(1,1) R;
TemporalMap(Sz(S),Sz(S)) S;
Cluster(2,L); SpatialMap(1,1) K;
Cluster(2,P); SpatialMap(2,1) X;
}
}
Layer B { Type: TRCONV
Dimensions { K: 4, C: 4, R: 1, S: 1, Y: 5, X: 5 }
Dataflow { SpatialMap(2,2) K; SpatialMap(1,1) C; } }
}
"""
_MATRIX = b"""Network matrix {
	Layer FC {
		Type: GEMM
		Dimensions { M: 16, N: 12, K: 64 }
		Dataflow {
			SpatialMap(1,1) M;
			TemporalMap(5,5) N;
			TemporalMap(16,16) K;
			Cluster(8, P);
			SpatialMap(2,2) K;
		}
	}
}
"""
_HARDWARE = b"""num_pes: 48
l1_size_cstr: 512
l2_size_cstr: 65536
noc_bw_cstr: 16
NoC_NumHops: 1
offchip_bw_cstr: 50
"""


def _sound(mapping: bytes, hardware: bytes) -> str:
    """Costs the texts; tells a figure that is impossible and not warned of."""
    outcome = maestro_cost(mapping.decode("utf-8", "replace"), hardware.decode("utf-8", "replace"))
    if isinstance(outcome, Infeasible):
        return "" if outcome.demand > outcome.bound else f"infeasible, yet within its bound: {outcome}"
    assert isinstance(outcome, MaestroReport)
    lines = outcome.csv.splitlines()[1:]
    if len(lines) != len(outcome.rows):
        return "a row is missing"
    for row, line in zip(outcome.rows, lines, strict=True):
        cells = [float(cell) for cell in line.split(",")[2:]]
        if len(cells) != 50:
            return f"{len(cells) + 2} cells in layer {row.layer}"
        if not row.warnings and not all(math.isfinite(cell) and cell >= 0 for cell in cells):
            return f"impossible figures without a warning in layer {row.layer}"
    return ""


MAESTRO_MAPPING = InputKind(
    "MAESTRO mapping", (_TWO_LEVELS, _FOUR_LEVELS, _MATRIX), lambda mapping: _sound(mapping, _HARDWARE)
)
MAESTRO_HARDWARE = InputKind("MAESTRO hardware", (_HARDWARE,), lambda hardware: _sound(_MATRIX, hardware))
