"""Archives of arrays (``.npz``): sizes are checked before memory is taken, no pickle is met."""

from __future__ import annotations

import io
import math
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mappings.errors import Fault, SpecError
from mappings.files import check_regular, read_bytes

MAX_BYTES = 2**29
"""Of an archive, and of all its arrays together."""
MAX_ARRAYS = 100_000
_MAX_HEADER_BYTES = 10_000
_ENCRYPTED = 1
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_integer_arrays(path: Path) -> dict[str, NDArray[np.int64]]:
    """Arrays of signed integers by name.

    Raises:
        SpecError: unreadable, damaged, encrypted, too large, or holds anything but signed integers.
    """
    data = read_bytes(path, MAX_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's advice on how old a header looks
            members = archive.infolist()
            _check_members(members, path)
            return {
                member.filename.removesuffix(".npy"): _array(archive, member, f"{path}: {member.filename}")
                for member in members
            }
    except SpecError:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError) as error:
        raise SpecError(Fault(str(path), f"is not an npz archive of integers: {error}")) from None
    except (
        NotImplementedError,
        RuntimeError,
        LookupError,
        TypeError,
        ArithmeticError,
        SyntaxError,
        TokenError,
    ) as error:
        raise SpecError(Fault(str(path), f"is a damaged npz archive: {error}")) from None


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
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
    if total > MAX_BYTES:
        faults.append(Fault(str(path), f"holds arrays of {total:,} bytes", f"at most {MAX_BYTES:,}"))
    if faults:
        raise SpecError(faults)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> NDArray[np.int64]:
    """One array; its data must be as long as its header says, which no more than the checked size can be."""
    data = archive.read(member)
    file = io.BytesIO(data)
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, fortran, kind = npy.read_array_header_1_0(file, max_header_size=_MAX_HEADER_BYTES)
    elif version == (2, 0):
        shape, fortran, kind = npy.read_array_header_2_0(file, max_header_size=_MAX_HEADER_BYTES)
    else:
        raise SpecError(Fault(where, f"is of npy version {version}", "1.0, 2.0"))
    if kind.kind != "i":
        raise SpecError(Fault(where, f"is of {kind}", "signed integers"))
    wanted, found = math.prod(shape) * kind.itemsize, len(data) - file.tell()
    if any(extent < 0 for extent in shape) or wanted != found:
        raise SpecError(Fault(where, f"of shape {shape} needs {wanted:,} bytes and has {found:,}"))
    flat = np.frombuffer(data, kind, offset=file.tell())
    return flat.reshape(shape, order="F" if fortran else "C").astype(np.int64, order="C")


def read_arrays(path: Path, most_bytes: int) -> dict[str, NDArray[Any]]:
    """Arrays of numbers or text by name, of a file that may be large: nothing is allocated that it does not hold.

    Raises:
        SpecError: no regular file, damaged, encrypted, with pickled objects, or it unpacks to more bytes.
    """
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's advice on how old a header looks
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > most_bytes:
                raise SpecError(Fault(str(path), f"unpacks to {unpacked:,} bytes", f"at most {most_bytes:,}"))
            _check_members(members, path)
            for member in members:
                _check_header(archive, member, f"{path}: {member.filename}")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except SpecError:
        raise
    except OSError as error:
        raise SpecError(Fault(str(path), f"cannot be read: {error.strerror or error}")) from None
    except Exception as error:  # what a damaged archive may raise has no end
        raise SpecError(Fault(str(path), f"cannot be read: {error}", "a whole npz archive of arrays")) from None


def _check_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> None:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise SpecError(Fault(where, f"is of npy version {version}", "1.0, 2.0"))
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, kind = read(file, max_header_size=_MAX_HEADER_BYTES)
        if kind.hasobject:
            raise SpecError(Fault(where, "holds pickled objects", "numbers: images of one shape, for instance"))
        told = file.tell() + math.prod(shape) * kind.itemsize
    if told != member.file_size:
        raise SpecError(Fault(where, f"is damaged: {member.file_size:,} bytes, its header tells {told:,}"))
