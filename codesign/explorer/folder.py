"""The folder of one run: what is in it, who may write to it, and which space it belongs to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.recipe import Recipe, parse_recipe
from mappings.errors import Fault, SpecError
from mappings.yamlio import dump_yaml, load_yaml

_FORMAT = 2


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run."""

    path: Path

    @property
    def run_file(self) -> Path:
        """The recipe, its space's digest, and the storage."""
        return self.path / "run.yaml"

    @property
    def default_storage(self) -> str:
        """URL of the SQLite file inside the folder."""
        return f"sqlite:///{(self.path / 'study.db').resolve()}"

    @property
    def front_csv(self) -> Path:
        """The front, one row a point."""
        return self.path / "front.csv"

    @property
    def designs(self) -> Path:
        """One YAML a point."""
        return self.path / "designs"

    @property
    def networks(self) -> Path:
        """Deployed networks (YAML and NPZ), by digest."""
        return self.path / "networks"

    @property
    def measured(self) -> Path:
        """What dear providers found, kept as soon as it is known."""
        return self.path / "measured"

    @property
    def hardware(self) -> Path:
        """Rendered and emitted files."""
        return self.path / "hardware"

    @property
    def result_file(self) -> Path:
        """All that the report shows, as JSON."""
        return self.path / "result.json"

    @property
    def report_html(self) -> Path:
        """The page."""
        return self.path / "report.html"

    def write_run(self, recipe: Recipe, storage: str) -> None:
        """Record what this run is."""
        document = {
            "format": _FORMAT,
            "digest": recipe.digest,
            "storage": storage,
            "recipe": recipe.to_dict(),
        }
        partial = self.run_file.with_suffix(".partial")
        partial.write_text(dump_yaml(document), encoding="utf-8")
        if "@" in storage:
            partial.chmod(0o600)  # the URL may hold a password
        partial.replace(self.run_file)

    def read_run(self) -> tuple[Recipe, str]:
        """The recipe and the storage URL that the run was made with.

        Raises:
            SpecError: no run here, a malformed file, or a run of a space that this version no longer has.
        """
        where = str(self.run_file)
        if not self.run_file.exists():
            raise SpecError(Fault(str(self.path), "holds no run", "a folder that codesign explore made"))
        document: Any = load_yaml(self.run_file)
        keys = {"format", "digest", "storage", "recipe"}
        if not isinstance(document, dict) or set(document) != keys or document["format"] != _FORMAT:
            raise SpecError(Fault(where, "is not a run", f"format {_FORMAT} with " + ", ".join(sorted(keys))))
        recipe = parse_recipe(document["recipe"], f"{where}: recipe")
        if recipe.digest != document["digest"]:
            what = f"was made with another recipe ({str(document['digest'])[:12]}; here it is {recipe.digest[:12]})"
            raise SpecError(Fault(str(self.path), f"{what}; nothing was changed", "a new run in another folder"))
        return recipe, str(document["storage"])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the lock ends with the process, however that ends.

        Raises:
            SpecError: another process holds it, or it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / ".lock").open("a")
        except OSError as error:
            raise SpecError(
                Fault(str(self.path), f"cannot be written: {error.strerror}", "a folder of your own: --out runs/NAME")
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SpecError(
                    Fault(str(self.path), "another codesign explore is at work here", "wait, or --out")
                ) from None
            yield


def new_folder(out: str | None, recipe: str) -> RunFolder:
    """A folder for a new run: the one asked for, or the next free ``runs/RECIPE``, ``runs/RECIPE-2``, ...

    Raises:
        SpecError: the folder asked for holds a run already, or cannot be written.
    """
    if out is None:
        base = Path("runs") / Path(recipe).stem
        number = 1
        path = base
        while (path / "run.yaml").exists():
            number += 1
            path = base.with_name(f"{base.name}-{number}")
    else:
        path = Path(out)
        if (path / "run.yaml").exists():
            raise SpecError(Fault(out, "holds a run already", f"--resume {out}, or another folder"))
    if path.exists() and not path.is_dir():
        raise SpecError(Fault(str(path), "is a file", "a folder: --out runs/NAME"))
    parent = path
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK | os.X_OK):
        raise SpecError(Fault(str(path), f"cannot be written: no permission in {parent}", "--out runs/NAME"))
    return RunFolder(path)
