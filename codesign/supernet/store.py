"""A supernet as a file: an NPZ of arrays (never a pickle) with what it was trained for.

Files are kept by the digest of all that decides them, so that any recipe and device finds the one that it needs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mappings.durable import write_durably
from mappings.errors import Fault, SpecError
from mappings.files import check_regular
from mappings.npz import packed, unpacked

FORMAT = 2
_MOST_BYTES = 2**33
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    Attributes:
        space: digest of the networks' decisions and of what builds them.
        told: all that decides the weights, as plain values.
        step: training steps that are done.
        arrays: parameters ("weight/NAME") and, of an unfinished training, what else it needs to go on.
    """

    space: str
    told: Mapping[str, Any]
    step: int
    arrays: Arrays

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        head = {"format": FORMAT, "kind": "supernet", "space": self.space, "told": dict(self.told), "step": self.step}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, packed(head, self.arrays))


def load(path: Path, space: str = "") -> Stored:
    """Read a file.

    Args:
        space: digest that it must have; "": any.

    Raises:
        SpecError: no such file, a pickle, another kind of file, another version, another space.
    """
    where, allowed = str(path), "a supernet that codesign keeps (.npz)"
    try:
        check_regular(path)
        with path.open("rb") as file:
            start = file.read(4)
        if not zipfile.is_zipfile(path):
            pickled = start[:1] == b"\x80"
            what = "is a pickle, which can run code when it is read" if pickled else "is no supernet"
            raise SpecError(Fault(where, what, allowed))
        if _holds_pickle(path):
            raise SpecError(Fault(where, "holds a pickle, which can run code when it is read", allowed))
        head, arrays = unpacked(path, _MOST_BYTES)
        version, kind = head["format"], head["kind"]
    except SpecError:
        raise
    except OSError as error:
        raise SpecError(Fault(where, f"cannot be read: {error.strerror}", allowed)) from None
    except (ValueError, KeyError, TypeError):
        raise SpecError(Fault(where, "is no supernet, or a damaged one", allowed)) from None
    if kind != "supernet" or version != FORMAT:
        what = f"is a {str(kind)[:30]} of version {str(version)[:10]}"
        raise SpecError(Fault(where, what, f"a supernet of version {FORMAT}: train it again"))
    if space and head["space"] != space:
        what = f"was trained for another space ({str(head['space'])[:12]}; here it is {space[:12]})"
        raise SpecError(Fault(where, what, "a supernet of this network space, its bits and its choices"))
    return Stored(str(head["space"]), head["told"], int(head["step"]), arrays)


def _holds_pickle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        # What zipfile raises on damaged archives (the second: of a version that it does not know); `unpacked` tells.
        return False
