"""A study in a real PostgreSQL server, started here in a scratch folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from codesign.explorer.storage import open_storage
from mappings.errors import SpecError

PASSWORD = "p@ss w/:rd"
LOGIN = "optuna:p%40ss%20w%2F%3Ard"


def programs() -> Path | None:
    """Folder of PostgreSQL's programs; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Path, Any]]:
    """Folder of the socket, and a function that starts or stops the server."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="the driver is not installed: pip install 'codesign[postgres]'")
    # The server refuses to run as root.
    user = next((u.pw_name for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody")), None)
    as_user: dict[str, Any] = {"user": user} if os.geteuid() == 0 else {}
    scratch = Path(tempfile.mkdtemp(prefix="pg"))
    if as_user:
        shutil.chown(scratch, user)
    (scratch / "password").write_text(PASSWORD)
    (scratch / "password").chmod(0o644)
    data = str(scratch / "data")

    def run(*command: str) -> None:
        done = subprocess.run(
            command, cwd=scratch, check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=120, **as_user
        )
        assert done.returncode == 0, (scratch / "log").read_text()

    def control(action: str) -> None:
        settings = f"-c listen_addresses= -c fsync=off -k {scratch}"
        run(str(folder / "pg_ctl"), "-D", data, "-w", "-m", "immediate", "-o", settings, action)

    with (scratch / "log").open("w") as log:
        login = ["--username=optuna", f"--pwfile={scratch / 'password'}", "--auth=scram-sha-256"]
        run(str(folder / "initdb"), "-D", data, *login)
        control("start")
        try:
            yield scratch, control
        finally:
            control("stop")
            shutil.rmtree(scratch)


def url(scratch: Path, login: str = LOGIN) -> str:
    return f"postgresql://{login}@/postgres?host={scratch}"


def add_trial(storage: optuna.storages.BaseStorage) -> int:
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    study.add_trial(optuna.create_trial(value=1.0))
    return len(study.trials)


def test_a_study_survives_a_restart_of_the_server(server: tuple[Path, Any]) -> None:
    scratch, control = server
    storage = open_storage(url(scratch))
    assert add_trial(storage) == 1
    control("restart")
    assert add_trial(storage) == 2, "a connection that the server closed is opened anew"
    assert add_trial(open_storage(url(scratch))) == 3


def test_a_wrong_password_is_told_and_not_shown(server: tuple[Path, Any]) -> None:
    with pytest.raises(SpecError, match="authentication failed") as caught:
        open_storage(url(server[0], "optuna:wr%40ng"))
    assert "wr@ng" not in str(caught.value) and "wr%40ng" not in str(caught.value)
