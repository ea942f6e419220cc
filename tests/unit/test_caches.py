"""Caches: damage is found and mended, strangers are refused, killed makers leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from accel_models.answers import Answers
from codesign.providers.accuracy.kept import kept_once
from codesign.supernet.store import Stored, load
from mappings.cache_folder import is_whole, keep, own_folder, work_folder
from mappings.durable import is_partial, write_durably
from mappings.errors import SpecError
from mappings.process import refuse_killed, run_owned

ROOT = Path(__file__).resolve().parents[2]


def made(cache: Path, content: bytes) -> Path:
    with work_folder(cache, "x") as work:
        (work / "out").write_bytes(content)
        keep(work / "out", cache / "entry")
    return cache / "entry"


@pytest.mark.parametrize("damage", [b"", b"whol", b"whole plus", b"whale"])
def test_a_damaged_entry_is_told_and_made_again(
    damage: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = made(tmp_path, b"whole")
    assert is_whole(entry) and capsys.readouterr().err == ""
    entry.write_bytes(damage)
    assert not is_whole(entry) and not entry.exists()
    assert capsys.readouterr().err.count("\n") == 1
    assert is_whole(made(tmp_path, b"whole"))


@pytest.mark.parametrize("kind", ["folder", "no seal", "folder as seal"])
def test_an_entry_that_cannot_be_read_is_made_again(kind: str, tmp_path: Path) -> None:
    entry = made(tmp_path, b"whole")
    place = entry if kind == "folder" else entry.with_name("entry.sha256")
    place.unlink()
    if kind != "no seal":
        (place / "in it").mkdir(parents=True)
    assert not is_whole(entry) and not entry.exists()
    assert is_whole(made(tmp_path, b"whole"))


def test_no_flipped_byte_of_an_answer_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE_DIR", str(tmp_path))
    answers, value = Answers("some", "some are"), {"cycles": 4749, "energy_pj": 4.3}
    answers.store("ab", value)
    (path,) = tmp_path.rglob("*.json")
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert answers.load("ab") in (None, value)
    path.write_bytes(whole)
    assert answers.load("ab") == value
    tmp_path.chmod(0o777)
    other = Answers("other", "others are")
    other.store("ab", value)
    assert other.load("ab") is None and not (tmp_path / "other").exists()


def test_no_flipped_byte_of_a_supernet_is_believed(tmp_path: Path) -> None:
    file = tmp_path / "s.npz"
    arrays = {"weight/a": np.arange(6, dtype=np.float32).reshape(2, 3), "weight/b": np.arange(2)}
    kept = Stored("space", {"steps": 3}, 3, arrays)
    kept.save(file)
    whole, believed = file.read_bytes(), 0
    for place in range(len(whole)):
        for mask in (1, 0x80):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            try:
                found = load(file, "space")
            except SpecError:
                continue
            believed += 1
            assert (found.told, found.step, found.arrays.keys()) == (kept.told, 3, arrays.keys())
            assert all(np.array_equal(found.arrays[name], arrays[name]) for name in arrays)
    assert believed < len(whole) / 3  # of twice as many: dates and such


def test_what_is_trained_once_is_made_again_where_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE_DIR", str(tmp_path / "cache"))
    made_at: list[Path] = []

    def make(path: Path) -> None:
        made_at.append(path)
        path.write_bytes(b"whole")

    def take(run: str) -> bytes:
        return kept_once(
            "x.npz", tmp_path / run, lambda p: p.is_file() and p.read_bytes() == b"whole", make
        ).read_bytes()

    assert take("a") == take("b") == b"whole" and len(made_at) == 1 and capsys.readouterr().err == ""
    (tmp_path / "a" / "x.npz").write_bytes(b"half")
    assert take("a") == b"whole" and len(made_at) == 1 and capsys.readouterr().err.count("\n") == 1
    made_at[0].write_bytes(b"half")
    assert take("c") == b"whole" and len(made_at) == 2 and capsys.readouterr().err.count("\n") == 1
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"x.npz"}


def test_of_two_makers_the_first_stays(tmp_path: Path) -> None:
    made(tmp_path, b"first")
    assert made(tmp_path, b"second").read_bytes() == b"first"
    assert is_whole(tmp_path / "entry")


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    for mode in (0o777, 0o775, 0o1777):
        folder = tmp_path / f"{mode:o}"
        folder.mkdir()
        folder.chmod(mode)
        with pytest.raises(SpecError, match="others can write"):
            own_folder(folder)
    (tmp_path / "777" / "inner").mkdir(mode=0o700)
    with pytest.raises(SpecError, match="below a folder that everybody can write"):
        own_folder(tmp_path / "777" / "inner")
    assert own_folder(tmp_path / "mine" / "deep").stat().st_mode & 0o777 == 0o700


def test_what_a_killed_maker_left_is_collected(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from mappings.cache_folder import work_folder\n"
        "with work_folder(Path(sys.argv[1]), 'x') as work:\n"
        "    (work / 'half').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=False)
    (left,) = tmp_path.glob(".*.work")
    with work_folder(tmp_path, "y") as mine:
        assert left.exists(), "one so young may be about to be locked"
        os.utime(left, (1, 1))
        os.utime(mine, (1, 1))
        with work_folder(tmp_path, "z"):
            assert not left.exists() and mine.exists()
    assert not list(tmp_path.glob(".*.work"))


def test_a_tool_and_its_children_end_with_a_killed_starter(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    code = (
        "import sys; from mappings.process import run_owned\n"
        "run_owned(['sh', '-c', 'sleep 300 & echo $$ $! > ' + sys.argv[1] + '; wait'])\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", code, str(file)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    while not (file.exists() and file.read_text().strip()):
        time.sleep(0.02)
    pids = [int(word) for word in file.read_text().split()]
    assert len(pids) == 2 and all(alive(pid) for pid in pids)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    for _ in range(500):
        if not any(alive(pid) for pid in pids):
            return
        time.sleep(0.02)
    raise AssertionError("the tool outlived whoever started it")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_tools_words_and_status_come_back() -> None:
    done = run_owned(["sh", "-c", "echo out; echo err >&2; exit 7"], {"X": "1"})
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert run_owned(["sh", "-c", "echo $X"], {"X": "1"}).stdout == "1\n"
    with pytest.raises(subprocess.TimeoutExpired):
        run_owned(["sleep", "300"], timeout_s=0.1)


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (-9, ""),
        (137, ""),
        (1, "g++: fatal error: Killed signal terminated program cc1plus"),
        (None, "Command failed with return code: -9"),
    ],
)
def test_a_tool_that_the_system_ended_is_told_as_that(returncode: int | None, words: str) -> None:
    with pytest.raises(SpecError, match="g: was ended by the system, perhaps for memory"):
        refuse_killed("g", returncode, words)
    refuse_killed("g", 1, "return code: -91; error: no such file")
    done = run_owned(["sh", "-c", "kill -9 $$"])
    with pytest.raises(SpecError, match="ended by the system"):
        refuse_killed("sh", done.returncode, done.stderr)


def test_a_link_at_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    victim, place = tmp_path / "victim", tmp_path / "place"
    victim.write_text("theirs")
    place.symlink_to(victim)
    write_durably(place, "ours", private=True)
    assert victim.read_text() == "theirs" and not place.is_symlink()
    assert place.read_text() == "ours" and place.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"victim", "place"}


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from mappings.durable import write_durably\n"
        "Path.replace = lambda self, target: os.kill(os.getpid(), int(sys.argv[2]))\n"
        "write_durably(Path(sys.argv[1]), 'half')\n"
    )
    place, other = tmp_path / "a[1].json", tmp_path / "other.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for path in (place, place, other):  # the second removes what the first left
        command = [sys.executable, "-c", code, str(path), str(int(signal.SIGKILL))]
        assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    # Theirs: a name that is not one of ours, a link, and a file that another process is writing.
    theirs, link = tmp_path / ".a[1].json.mine.partial", tmp_path / f".a[1].json.{'0' * 16}.partial"
    theirs.write_text("theirs")
    link.symlink_to(theirs)
    assert sum(map(is_partial, tmp_path.iterdir())) == 3
    with subprocess.Popen([sys.executable, "-c", code, str(place), str(int(signal.SIGSTOP))], env=environment) as busy:
        os.waitpid(busy.pid, os.WUNTRACED)
        write_durably(place, "whole")
        busy.kill()
    assert place.read_text() == "whole" and theirs.read_text() == "theirs" and link.is_symlink()
    assert sum(map(is_partial, tmp_path.iterdir())) == 3  # the link, the one at work, and the other file's
    write_durably(place, "whole")
    assert sum(map(is_partial, tmp_path.iterdir())) == 2


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; from mappings.durable import write_durably\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_durably(Path(sys.argv[1]), 'x' * 5000)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "front.csv")]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.stderr.endswith(f"OSError: [Errno 27] File too large: '{tmp_path}/front.csv'\n")
    assert not list(tmp_path.iterdir())


COMPILE = "import numpy as np, k; print(k.f(np.arange(4)))"


def test_damaged_machine_code_is_compiled_again(tmp_path: Path) -> None:
    (tmp_path / "k.py").write_text(
        "from accel_models.jit import entry\n\n\n@entry\ndef f(x):\n    return x.sum() + 1\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}", "CODESIGN_CACHE_DIR": str(tmp_path / "cache")}

    def run() -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout, done.stderr

    assert run() == ("7\n", "")
    for kind in ("nbi", "nbc"):
        for cut in (0, -1):
            (path,) = (tmp_path / "cache").rglob(f"*.{kind}")
            whole = path.read_bytes()
            path.write_bytes(whole[:cut])
            said, told = run()
            assert said == "7\n" and told.count("\n") == 1 and path.name in told
    assert run() == ("7\n", "")
