"""A study in a real Redis server, started here in a scratch folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from codesign.controllers.controller import Told
from codesign.decisions import Decision, DecisionSpace
from codesign.drivers.base import Trial
from codesign.explorer.journal import StudyJournal
from codesign.explorer.storage import open_storage, storage_faults
from codesign.objectives import Goal, Outcome
from mappings.errors import SpecError


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the server is reached: a port of this machine alone."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed: apt-get install redis-server")
    pytest.importorskip("redis", reason="the driver is not installed: pip install 'codesign[redis]'")
    scratch = Path(tempfile.mkdtemp(prefix="rd"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(scratch), "--save", ""]
    with (scratch / "log").open("w") as log:
        server = subprocess.Popen([*words, "--requirepass", "p@ss"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while "Ready to accept" not in (scratch / "log").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"redis://:p%40ss@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(scratch)


def journal(url: str) -> StudyJournal:
    study = optuna.create_study(
        storage=open_storage(url), study_name="s", load_if_exists=True, directions=["minimize", "minimize"]
    )
    space = DecisionSpace((Decision("size", "network", (1, 2, 3)),))
    return StudyJournal(study, space, Goal(("latency_ms", "energy_uj")))


def test_a_study_is_kept_and_shared(url: str) -> None:
    first, second = journal(url), journal(url)
    trials = [Trial(Told({"size": n}, Outcome({"latency_ms": float(n), "energy_uj": 1.0}))) for n in (1, 2, 3)]
    first.append(trials[:2], 0)
    second.append(trials, 0)  # two of them are there already
    assert first.since(0) == second.since(0) == list(journal(url)) == trials


def test_a_wrong_password_is_told_and_not_shown(url: str) -> None:
    wrong = url.replace("p%40ss", "wr%40ng")
    with pytest.raises(SpecError, match="invalid username-password") as caught, storage_faults(wrong, "is", "right"):
        open_storage(wrong).get_all_studies()
    assert "wr@ng" not in str(caught.value) and "wr%40ng" not in str(caught.value)
