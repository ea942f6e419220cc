"""Which option applies to which kind of target, by command: what changes nothing is refused, not ignored.

The command line and the functions of the same name read this one table; docs/commands.md is written from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codesign.commands.kinds import Kind
from mappings.errors import Fault, SpecError

_MAPPED = ("accelerator", "dataflow", "objective")
_RUN = ("images", "no_hls")
_SYNTH = ("target", "liberty", "route", "device")
_POWER = (*_SYNTH, "power")
_SEARCH = (
    "recipe", "network", "input", "hardware", "objectives", "limit", "data", "device", "controller", "driver", "trials",
    "seed", "storage", "verify", "images", "jobs", "executor",
)  # fmt: skip
_FROM_FLOAT = ("input", "hardware", "data")

#: Command, kind of target: options by the names of their keywords. Options of printing are in the command line alone.
APPLIES: Mapping[str, Mapping[Kind, tuple[str, ...]]] = {
    "cost": {
        Kind.NETWORK: ("input", *_MAPPED),
        Kind.MODULE: ("input", *_MAPPED),
        Kind.WORKLOAD: _MAPPED,
        Kind.DESIGN: (),
        Kind.MAESTRO: ("maestro", "hw", "simd_lanes", "csv"),
    },
    "map": {
        Kind.NETWORK: ("input", *_MAPPED, "tiles"),
        Kind.MODULE: ("input", *_MAPPED, "tiles"),
        Kind.WORKLOAD: (*_MAPPED, "tiles"),
        Kind.DESIGN: ("dataflow", "objective", "tiles"),
    },
    "simulate": {
        Kind.NETWORK: (*_FROM_FLOAT, *_RUN),
        Kind.MODULE: (*_FROM_FLOAT, *_RUN),
        Kind.DESIGN: _RUN,
    },
    "emit": {
        Kind.NETWORK: (*_FROM_FLOAT, "out", "what"),
        Kind.MODULE: (*_FROM_FLOAT, "out", "what"),
        Kind.DESIGN: ("out", "what"),
    },
    "synth": {Kind.DESIGN: _POWER, Kind.HARDWARE: _SYNTH},
    "explore": {
        Kind.NEW: (*_SEARCH, "out"),
        Kind.RESUMED: (*_SEARCH, "resume"),
        Kind.JOINED: ("join", "storage", "jobs", "executor"),
    },
    "table": {Kind.SPACE: ("recipe", "network", "input", "hardware", "by", "networks", "seed", "out")},
    "report": {Kind.FINISHED: ("storage",)},
    "list": {Kind.NAMES: ()},
}


def flag(keyword: str) -> str:
    """The option of a keyword: ``--simd-lanes`` of ``simd_lanes``."""
    return "--" + keyword.replace("_", "-")


def check_applies(command: str, kind: Kind, given: Mapping[str, object]) -> None:
    """Refuse options that change nothing for this kind of target.

    Args:
        command: a key of :data:`APPLIES`.
        kind: of the target.
        given: options by keyword; those that are None were left out.

    Raises:
        SpecError: an option that changes nothing, or a kind of target that the command does not take; all at once.
    """
    table = APPLIES[command]
    if kind not in table:
        raise SpecError(Fault("target", f"is {kind}", " or ".join(table)))
    faults = []
    for keyword, value in given.items():
        if value is None or keyword in table[kind]:
            continue
        kinds = [str(other) for other, keywords in table.items() if keyword in keywords]
        faults.append(Fault(flag(keyword), f"changes nothing for {kind}", f"with {' or '.join(kinds)}"))
    if faults:
        raise SpecError(faults)


def refuse(given: Mapping[str, object], why: str, keywords: Iterable[str]) -> None:
    """Refuse options that change nothing for another reason than the kind of target.

    Raises:
        SpecError: one of ``keywords`` is given; all at once.
    """
    faults = [Fault(flag(keyword), f"changes nothing: {why}") for keyword in keywords if given.get(keyword) is not None]
    if faults:
        raise SpecError(faults)
