"""Archives of arrays (``.npz``): sizes are checked before memory is taken, no pickle is met."""

from __future__ import annotations

import hashlib
import io
import json
import math
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mappings.errors import Fault, SpecError
from mappings.files import check_regular

MAX_BYTES = 2**29
"""Of the arrays of a network, all together."""
MAX_ARRAYS = 100_000
_MAX_HEADER_BYTES = 10_000
_PIECE_BYTES = 2**20
_ENCRYPTED = 1
_HEAD, _SEAL = "head", "sha256"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_arrays(path: Path, most_bytes: int, integers: bool = False) -> dict[str, NDArray[Any]]:
    """Arrays of numbers or text by name, of a file that may be large: nothing is allocated that it does not hold.

    Args:
        path: of the archive.
        most_bytes: that the arrays may take together.
        integers: refuse any but signed integers.

    Raises:
        SpecError: no regular file, damaged, encrypted, too large, with pickled objects, or of another kind.
    """
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's advice on how old a header looks
            members = archive.infolist()
            _check_members(members, path, most_bytes)
            return {
                member.filename.removesuffix(".npy"): _array(archive, member, f"{path}: {member.filename}", integers)
                for member in members
            }
    except SpecError:
        raise
    except OSError as error:
        raise SpecError(Fault(str(path), f"cannot be read: {error.strerror or error}")) from None
    except Exception as error:  # what a damaged archive may raise has no end
        what = f"is no whole npz archive: {error or type(error).__name__}"
        raise SpecError(Fault(str(path), what, "as numpy.savez writes it")) from None


def packed(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An archive of arrays with plain values as its head, which holds the digest of both."""
    buffer = io.BytesIO()
    sealed = {**head, _SEAL: _digest(head, arrays)}
    contents: dict[str, Any] = {_HEAD: np.array(json.dumps(sealed)), **arrays}
    np.savez(buffer, **contents)
    return buffer.getvalue()


def unpacked(path: Path, most_bytes: int) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Head and arrays of what :func:`packed` made.

    Raises:
        SpecError: as :func:`read_arrays`, no head, or another digest.
    """
    arrays = read_arrays(path, most_bytes)
    try:
        head: dict[str, Any] = json.loads(str(arrays.pop(_HEAD)))
        seal = head.pop(_SEAL, None)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise SpecError(Fault(str(path), "has no head, which what codesign keeps has")) from None
    if seal is not None and seal != _digest(head, arrays):  # archives of earlier releases have none
        raise SpecError(Fault(str(path), "is damaged: its arrays are not those that were kept"))
    return head, arrays


def _digest(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    total = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def read_integer_arrays(path: Path) -> dict[str, NDArray[np.int64]]:
    """Arrays of signed integers by name, as :func:`read_arrays` reads them.

    Raises:
        SpecError: as there.
    """
    found = read_arrays(path, MAX_BYTES, integers=True)
    return {name: array.astype(np.int64, order="C") for name, array in found.items()}


def _check_members(members: list[zipfile.ZipInfo], path: Path, most_bytes: int) -> None:
    faults = []
    for member in members[:MAX_ARRAYS]:
        where = f"{path}: {member.filename}"
        if not member.filename.endswith(".npy"):
            faults.append(Fault(where, "is not an array", "NAME.npy"))
        elif member.flag_bits & _ENCRYPTED:
            faults.append(Fault(where, "is encrypted"))
        elif member.compress_type not in _COMPRESSIONS:
            faults.append(Fault(where, "is compressed in an unknown way", "as numpy.savez_compressed does"))
    if len(members) > MAX_ARRAYS:
        faults.append(Fault(str(path), f"holds {len(members)} arrays", f"at most {MAX_ARRAYS:,}"))
    if len({member.filename for member in members}) < len(members):
        faults.append(Fault(str(path), "names an array twice"))
    total = sum(member.file_size for member in members)
    if total > most_bytes:
        faults.append(Fault(str(path), f"holds arrays of {total:,} bytes", f"at most {most_bytes:,}"))
    if faults:
        raise SpecError(faults)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str, integers: bool) -> NDArray[Any]:
    """One array; its data must be as long as its header says, which no more than the checked size can be."""
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise SpecError(Fault(where, f"is of npy version {version}", "1.0, 2.0"))
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, kind = read(file, max_header_size=_MAX_HEADER_BYTES)
        if kind.hasobject:
            raise SpecError(Fault(where, "holds pickled objects", "numbers: images of one shape, for instance"))
        if integers and kind.kind != "i":
            raise SpecError(Fault(where, f"is of {kind}", "signed integers"))
        wanted, held = math.prod(shape) * kind.itemsize, member.file_size - file.tell()
        if any(extent < 0 for extent in shape) or wanted != held:
            raise SpecError(Fault(where, f"of shape {shape} needs {wanted:,} bytes and has {held:,}"))
        data = bytearray()
        while piece := file.read(min(_PIECE_BYTES, wanted + 1 - len(data))):
            data += piece  # to the end, which checks the sum of the whole
        if len(data) != wanted:
            raise SpecError(Fault(where, f"of shape {shape} needs {wanted:,} bytes and has {len(data):,}"))
    flat: NDArray[Any] = np.frombuffer(data, kind) if kind.itemsize else np.zeros(math.prod(shape), kind)
    return flat.reshape(shape, order="F" if fortran else "C")
