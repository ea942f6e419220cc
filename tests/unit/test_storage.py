"""Storages by URL, what they say when they fail, and what they never say."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest

from codesign.controllers.controller import Told
from codesign.decisions import Decision, DecisionSpace
from codesign.drivers.base import Trial
from codesign.explorer import journal, storage
from codesign.explorer.finished import read_record, write_record
from codesign.explorer.journal import StudyJournal
from codesign.explorer.redact import redacted
from codesign.explorer.storage import open_sqlite, open_storage, storage_faults
from codesign.objectives import Goal, Outcome
from mappings.errors import SpecError


def trials_of(kept: optuna.storages.BaseStorage) -> int:
    study = optuna.create_study(storage=kept, study_name="s", load_if_exists=True)
    study.add_trial(optuna.create_trial(value=1.0))
    return len(study.trials)


@pytest.mark.parametrize("name", ["a b", "what?", "50%20", "{x}", "{{7}}", "größe", "a#b&c=d", "'quoted'"])
def test_a_path_is_a_path(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    assert trials_of(open_sqlite(file)) == 1 and trials_of(open_sqlite(file)) == 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} <= {name, f"{name}-wal", f"{name}-shm"}


def test_a_journal_file(tmp_path: Path) -> None:
    url = f"journal:///{tmp_path}/j.log"
    assert trials_of(open_storage(url)) == 1 and trials_of(open_storage(url)) == 2
    assert (tmp_path / "j.log").stat().st_mode & 0o777 == 0o600


def journal_of(url: str) -> StudyJournal:
    study = optuna.create_study(storage=open_storage(url), study_name="s", load_if_exists=True, directions=["minimize"])
    return StudyJournal(study, DecisionSpace((Decision("size", "network", (1, 2, 3)),)), Goal(("latency_ms",)))


@pytest.mark.parametrize("scheme", ["sqlite", "journal"])
def test_of_two_that_tell_a_batch_at_once_the_first_counts(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two copies of a folder at work on one study, without a lock between them: measured times differ."""
    first, second = (journal_of(f"{scheme}:///{tmp_path}/study") for _ in range(2))
    ours, theirs = (
        [Trial(Told({"size": n}, Outcome({"latency_ms": n * factor}))) for n in (1, 2, 3)] for factor in (1.0, 1.5)
    )
    make = journal.frozen_trial

    def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(journal, "frozen_trial", make)
        first.append(ours[:2], 0)
        return make(*given)

    monkeypatch.setattr(journal, "frozen_trial", overtaken)
    second.append(theirs, 0)
    expected = [*ours[:2], theirs[2]]
    assert first.since(0) == list(second) == list(journal_of(f"{scheme}:///{tmp_path}/study")) == expected
    first.append(ours, 3)
    assert second.since(3) == list(first)[3:] == ours


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"),
        *("journal://", "journal:///", "nosuch://host/db", "", "sqlite", "sqlite:////no/such/folder/x.db"),
        *("journal:////no/such/folder/x.log", "postgresql://u:s3cret@127.0.0.1:1/db", "redis://:s3cret@127.0.0.1:1"),
    ],
)
def test_what_cannot_be_opened_is_one_line(url: str) -> None:
    with pytest.raises(SpecError) as caught:
        trials_of(open_storage(url))
    assert "\n" not in str(caught.value) and "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@ss@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:p/s:s@h:5/db", "postgresql://u:***@h:5/db"),
        ("redis://:p@ss@h/0", "redis://:***@h/0"),
        ("postgresql://h/db?user=u&password=p@ss&x=1", "postgresql://h/db?user=u&password=***&x=1"),
        ("mysql://h/db?ssl_key=k&PASSWD=p", "mysql://h/db?ssl_key=***&PASSWD=***"),
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
        ("sqlite:////tmp/a:b@x.db", "sqlite:////tmp/a:b@x.db"),
        ("u:p@ss@h/db", "u:***@h/db"),
        ("ssh://p%40ss@h", "ssh://***@h"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("mssql+pyodbc://u:p@ss@h/db?driver=x;PWD=pw", "mssql+pyodbc://u:***@h/db?driver=x;PWD=***"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown
    with pytest.raises(SpecError) as caught, storage_faults(url, "fails", ""):
        raise sqlite3.OperationalError(f"no luck with {url}: p@ss p/s:s; host 'ss@h' 's:s@h'")
    if "***" in shown:
        assert not any(secret in str(caught.value) for secret in ("p@ss", "p/s:s") if secret in url)
    if "p@ss@h" in url:  # a driver that takes the end of the password for the host
        assert "ss@" not in str(caught.value)


def test_a_locked_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "WAIT_S", 0.05)
    kept = open_sqlite(tmp_path / "s.db")
    assert trials_of(kept) == 1
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with (
        pytest.raises(SpecError, match=r"s\.db.*fails: database is locked"),
        storage_faults(str(tmp_path / "s.db"), "fails", "later"),
    ):
        trials_of(kept)
    other.rollback()
    assert trials_of(kept) == 2


def test_a_damaged_file_is_not_tried_again_in_vain() -> None:
    with (
        pytest.raises(SpecError, match=r"malformed \(allowed: a copy of the file that is whole, or a new run\)"),
        storage.storage_faults("runs/a/study.db", "cannot be used", "codesign explore --resume runs/a"),
    ):
        raise sqlite3.DatabaseError("database disk image is malformed")


def test_defects_of_ours_stay_what_they_are() -> None:
    for kind in (AssertionError, ValueError, OSError, KeyError):
        with pytest.raises(kind), storage_faults("sqlite:///x", "fails", ""):
            raise kind("ours")


@pytest.mark.parametrize("damage", ["cut", "gone", "record"])
def test_a_record_is_believed_only_with_its_files(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, record = tmp_path / "n.npz", tmp_path / "n.json"
    assert read_record(record) is None and capsys.readouterr().err == ""
    weights.write_bytes(b"weights")
    write_record(record, {"test": 0.5}, [weights])
    assert read_record(record) == {"test": 0.5}
    if damage == "cut":
        weights.write_bytes(b"weigh")
    elif damage == "gone":
        weights.unlink()
    else:
        record.write_text(record.read_text()[:-3])
    assert read_record(record) is None
    assert capsys.readouterr().err.count("\n") == 1
