"""Which points of a front go through tools, by the words of ``--verify``. Loads neither torch nor optuna."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mappings.errors import Fault, SpecError, nearest, unknown_name

WORDS = ("knee", "all", "none", "synth")
ALLOWED = "knee, all, none, a point: point_00; synth, synth:knee, synth:point_00"
#: What a run verifies where nobody says otherwise, and on how many test images.
DEFAULT_VERIFY, DEFAULT_IMAGES, MAX_IMAGES = ("knee",), 10, 500
_ITEM = re.compile(r"(synth:)?(knee|all|point_\d{2,4})|synth|none")


def check_wanted(wanted: Sequence[str], where: str = "--verify") -> None:
    """Refuse what can be no point of any front, and "none" among others.

    Args:
        wanted: words.
        where: they stand, for the error.

    Raises:
        SpecError: such a word.
    """
    for item in wanted:
        if not _ITEM.fullmatch(item):
            raise SpecError(Fault(where, f"is {item[:60]!r}{nearest(item, WORDS)}", ALLOWED))
    if "none" in wanted and len(wanted) > 1:
        raise SpecError(Fault(where, "none goes with no other point"))


def to_run(wanted: Sequence[str]) -> tuple[str, ...]:
    """The words that ask for a run in RTL and HLS."""
    return tuple(item for item in wanted if not item.startswith("synth") and item != "none")


def to_synthesise(wanted: Sequence[str]) -> tuple[str, ...]:
    """The points to synthesise, without the word for it; "synth" alone is every point."""
    return tuple(item.partition(":")[2] or "all" for item in wanted if item.startswith("synth"))


def choose_points(wanted: Sequence[str], names: Sequence[str], knee: str) -> list[str]:
    """Names of points: of "knee", "all", or names.

    Raises:
        SpecError: no point of that name.
    """
    chosen: list[str] = []
    for item in wanted:
        if item == "all":
            chosen += names
        elif item == "knee":
            chosen.append(knee)
        elif item in names:
            chosen.append(item)
        else:
            raise unknown_name("--verify", "point", item, [*names, "knee", "all"])
    return list(dict.fromkeys(chosen))
