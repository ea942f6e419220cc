"""Files are read within bounds, and messages are one clear line whatever a file says."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import subprocess
import sys
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from accel_models.hardware.devices import load_device
from accel_models.jit import cache_dir
from codesign.accuracy.files import read_dataset
from codesign.cli.main import main
from codesign.commands.reporting import report
from codesign.providers.accuracy.table import read_table
from codesign.supernet.store import load as load_supernet
from mappings import npz
from mappings.errors import MAX_SHOWN_FAULTS, Fault, SpecError, nearest, printable
from mappings.files import gunzipped, read_bytes, read_json
from mappings.layer import Layer, Op
from mappings.npz import read_integer_arrays
from mappings.reader import Reader
from mappings.workload import Workload
from mappings.yamlio import load_yaml, load_yaml_text

FAULTS = (Fault("a.yaml", "is wrong", "right"), Fault("b", "is\nwrong\x1b[31m"))


def fail() -> None:
    """What a worker process does with wrong input."""
    raise SpecError(FAULTS)


def refusal(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_integer_arrays(path)
    return str(caught.value)


def test_the_error_survives_pickling_and_a_process_pool() -> None:
    error = SpecError(FAULTS)
    again = pickle.loads(pickle.dumps(error))
    assert (again.faults, str(again)) == (FAULTS, str(error))
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool, pytest.raises(SpecError) as caught:
        pool.submit(fail).result()
    assert (caught.value.faults, str(caught.value)) == (FAULTS, str(error))


def test_messages_show_control_characters_escaped_and_no_more_than_ten_faults() -> None:
    assert str(SpecError(FAULTS)) == "a.yaml: is wrong (allowed: right); b: is\\nwrong\\x1b[31m"
    assert printable("Zoë → 层\udcff\u202e\u2028") == "Zoë → 层\\udcff\\u202e\\u2028"
    many = SpecError([FAULTS[0]] * 99)
    assert len(many.faults) == 99 and str(many).endswith("; and 89 faults more")


def test_ten_thousand_unknown_keys_make_a_short_line() -> None:
    reader = Reader({f"key{number}" * 50: 1 for number in range(100_000)}, "x.yaml", ["rows", "cols"])
    assert len(reader.faults) == MAX_SHOWN_FAULTS + 1
    assert reader.faults[-1].what == "99990 unknown keys more"
    with pytest.raises(SpecError) as caught:
        reader.done()
    assert len(str(caught.value)) < 3_000


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("lstm", ("softmax", "mean", "linear"), ""),
        ("conv", ("softmax", "conv2d", "mean"), ""),
        ("softmx", ("softmax", "mean"), "softmax"),
        ("Weight-Stationary", ("output_stationary", "weight_stationary"), "weight_stationary"),
        ("CNV", ("CONV", "GEMM"), "CONV"),
        ("tcp", ("tpe", "random"), "tpe"),
        ("K", ("C", "N"), ""),
        ("", ("C",), ""),
        ("x" * 100_000, ("x",), ""),
    ],
)
def test_only_a_near_name_is_suggested(name: str, known: tuple[str, ...], near: str) -> None:
    assert nearest(name, known) == (f', did you mean "{near}"?' if near else "")


def test_pipes_devices_and_folders_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path / "pipe", "is a pipe"), (Path("/dev/zero"), "is a device"), (tmp_path, "is a folder")):
        with pytest.raises(SpecError, match=what):
            read_bytes(path, 10)
        with pytest.raises(SpecError, match=what):
            load_yaml(path)
        with pytest.raises(SpecError, match=what):
            read_integer_arrays(path)
    (tmp_path / "long").write_bytes(b"x" * 11)
    with pytest.raises(SpecError, match=r"is too large .allowed: at most 10 bytes"):
        read_bytes(tmp_path / "long", 10)
    with pytest.raises(SpecError, match=r"x\\x00.yaml: cannot be read"):
        load_device("x\0.yaml")
    assert main(["cost", "squeezenet", "--accelerator", "/dev/zero"]) == 2
    assert main(["cost", "--maestro", str(tmp_path / "pipe"), "--hw", "/dev/zero"]) == 2


def test_json_that_is_cut_or_no_number_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for text, what in (
        ('{"a": 1', "r.json:1:8: is not whole"),
        ('{"a": }', "r.json:1:7: is not JSON"),
        ('{"a": NaN}', "NaN is no number"),
        ("[" * 100_000, "is not JSON of this kind"),
        ("1" * 10_000, "is not JSON of this kind"),
    ):
        path.write_text(text)
        with pytest.raises(SpecError) as caught:
            read_json(path, 1_000_000)
        assert what in str(caught.value)


@pytest.mark.parametrize("text", ["K: 010", "K: 1:30", "K: 1_000", "K: 1:30.5", "K: 0b11", "K: " + "9" * 41])
def test_numbers_of_doubtful_value_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"x\.yaml:1:4: .*(doubtful|digits)"):
        load_yaml_text(text, "x.yaml")


def test_numbers_of_plain_value_are_read() -> None:
    assert load_yaml_text("[0, -7, +8, 0x10, 1.5, 1e3, 1.0e+3, '010', .5]", "x.yaml") == [
        *(0, -7, 8, 16, 1.5, "1e3", 1000.0, "010", 0.5),
    ]


def test_extents_and_bits_beyond_all_sense_are_refused() -> None:
    layer = Layer("fc", Op.LINEAR, K=2, C=3, inputs=("x",)).to_dict()
    for key, value in (("C", 10**30), ("bits", 10**12), ("H", 0)):
        with pytest.raises(SpecError, match=r"inputs\[0\]"):
            Workload.from_dict({"name": "w", "inputs": [{"name": "x", "C": 3, key: value}], "layers": [layer]})
    with pytest.raises(SpecError, match=r"layer\.C"):
        Layer.from_dict({**layer, "C": 10**30})
    with pytest.raises(SpecError, match="overflow"):
        Layer("add", Op.ADD, groups=2**31 - 1, N=2**31 - 1, P=2**31 - 1)


def archive(path: Path, name: str, data: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr(name, data)
    return path


def array(shape: str, kind: str = "<i8", data: bytes = b"") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def test_archives_are_bounded_before_memory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    assert "needs 8,589,934,592 bytes and has 0" in refusal(archive(path, "a.npy", array("(1073741824,)")))
    assert "needs 8 bytes and has 9" in refusal(archive(path, "a.npy", array("(1,)", data=b"123456789")))
    assert "holds pickled objects" in refusal(archive(path, "a.npy", array("(1,)", "|O", b"12345678")))
    assert "is of float32" in refusal(archive(path, "a.npy", array("(1,)", "<f4", b"1234")))
    assert "is not an array" in refusal(archive(path, "../a.txt", b""))
    assert "compressed in an unknown way" in refusal(archive(path, "a.npy", array("()"), zipfile.ZIP_LZMA))
    monkeypatch.setattr(npz, "MAX_BYTES", 100_000)
    bomb = archive(path, "a.npy", array("(12500,)", data=bytes(100_000)), zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1_000 and "holds arrays of 100,0" in refusal(bomb)


def test_damaged_archives_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(1000))
    whole = file.getvalue()
    encrypted = bytearray(whole)
    encrypted[6] |= 1
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(encrypted)
    assert "is encrypted" in refusal(path)
    np.save(tmp_path / "plain.npy", np.arange(3))
    assert "is no whole npz archive" in refusal(tmp_path / "plain.npy")
    for place in range(0, len(whole), 7):  # no flip is met by anything but an error of ours, or by equal arrays
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = read_integer_arrays(path)
        except SpecError:
            continue
        assert all(np.array_equal(value, np.arange(1000)) for value in found.values())


def test_a_result_without_points_is_told(tmp_path: Path) -> None:
    for text, what in (
        ('{"points": []}', "points: is empty"),
        ('{"points": [1]}', "is not the result of a run"),
        ('{"points": [{"decisions": {}}], "knee": "x"}', "is not the result of a run"),
        ('{"points": [', "is not whole"),
    ):
        (tmp_path / "result.json").write_text(text)
        (tmp_path / "run.yaml").unlink(missing_ok=True)
        with pytest.raises(SpecError, match="holds no run"):
            report(str(tmp_path))
        (tmp_path / "run.yaml").touch()
        with pytest.raises(SpecError, match=what):
            report(str(tmp_path))


def test_a_user_without_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODESIGN_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(SpecError, match=r"no home folder .allowed: name a folder in CODESIGN_CACHE_DIR"):
        cache_dir()


def test_models_work_without_a_home_folder(tmp_path: Path) -> None:
    code = (
        "import os; os.path.expanduser = lambda path: path\n"
        "from accel_models.jit import compiled, entry\n"
        "twice = entry(lambda x: 2 * x)\n"
        "assert twice(4) == 8 and not os.listdir('.')\n"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    environment.pop("CODESIGN_CACHE_DIR", None)
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_archive_of_any_arrays_is_one_line(packed: bool, tmp_path: Path) -> None:
    path, rng = tmp_path / "a.npz", np.random.default_rng(11)
    arrays = {
        "images": np.arange(225, dtype=np.uint8).reshape(9, 5, 5),
        "labels": np.arange(9.0),
        "head": np.array("x"),
    }
    (np.savez_compressed if packed else np.savez)(path, **arrays)  # type: ignore[arg-type]
    whole, refused = path.read_bytes(), 0
    assert all((found == arrays[name]).all() for name, found in npz.read_arrays(path, 10_000).items())
    with pytest.raises(SpecError, match=r"holds arrays of .* bytes .allowed: at most 100"):
        npz.read_arrays(path, 100)
    for _ in range(300):
        path.write_bytes(_flipped(whole, rng))
        try:
            npz.read_arrays(path, 10_000)
        except SpecError as error:
            refused += "\n" not in str(error)
    assert refused > 100


def test_an_archive_may_not_ask_for_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000,), }".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(100))
    with pytest.raises(SpecError, match="needs 8,000,000,000 bytes and has 100"):
        npz.read_arrays(path, 2**40)
    np.savez(path, np.array([{}], dtype=object))
    with pytest.raises(SpecError, match="holds pickled objects"):
        npz.read_arrays(path, 2**40)


def test_the_bound_of_an_archive_is_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MAX_BYTES", 1_000)  # of the integers of a network, not of images
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(1_000), b=np.zeros((0, 3)))
    found = npz.read_arrays(tmp_path / "a.npz", 10_000)
    assert (found["a"] == np.arange(1_000)).all() and found["b"].shape == (0, 3)
    assert "holds arrays of" in refusal(tmp_path / "a.npz")


def test_a_pipe_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "folder/cat").mkdir(parents=True)
    for name in ("a.npz", "a.csv", "folder/cat/a.png"):
        os.mkfifo(tmp_path / name)
    for read in (
        lambda: npz.read_arrays(tmp_path / "a.npz", 100),
        lambda: read_dataset(tmp_path / "a.npz"),
        lambda: read_dataset(tmp_path / "folder"),
        lambda: load_supernet(tmp_path / "a.npz"),
        lambda: read_table(str(tmp_path / "a.csv")),
    ):
        with pytest.raises(SpecError, match=r"pipe|no image"):
            read()


def test_what_gzip_unpacks_is_bounded() -> None:
    packed = gzip.compress(bytes(1000))
    assert gunzipped(packed, "a", 1000) == bytes(1000)
    assert gunzipped(b"plain", "a", 3) == b"plain"
    with pytest.raises(SpecError, match="too large"):
        gunzipped(packed, "a", 999)
    for damaged in (packed[:-3], packed[:10] + b"\xff" * 20):
        with pytest.raises(SpecError, match="cannot be read"):
            gunzipped(damaged, "a", 1000)
