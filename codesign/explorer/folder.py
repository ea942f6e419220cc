"""The folder of one run: what is in it, who may write to it, and which space it belongs to."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.contents import missing_files, named_files
from codesign.explorer.inputs import INPUTS, inside, outside
from codesign.explorer.wanted import DEFAULT_IMAGES, DEFAULT_VERIFY, MAX_IMAGES, check_wanted
from codesign.recipe import Recipe, parse_recipe
from mappings.durable import is_partial, write_durably
from mappings.errors import Fault, SpecError
from mappings.yamlio import dump_yaml, load_yaml

#: The record of a run, by which its folder is known.
RUN_FILE = "run.yaml"
_FORMAT = 4
#: Runs that do not say what they verify.
_WITHOUT_VERIFY = 3
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class RunRecord:
    """What ``run.yaml`` says.

    Attributes:
        recipe: with all overrides.
        run: identity, drawn when the run was made; its study has the same.
        storage: where the study is, for people and without passwords; None: in the folder.
        begun: trials were told, so that a study without any is not the run's.
        verify: points that it runs as hardware or synthesises, by the words of ``--verify``.
        images: test images that the hardware runs.
    """

    recipe: Recipe
    run: str
    storage: str | None = None
    begun: bool = False
    verify: tuple[str, ...] = DEFAULT_VERIFY
    images: int = DEFAULT_IMAGES

    @property
    def study_name(self) -> str:
        """A storage that is shared holds many studies, told apart by the run's identity wherever its folder is."""
        return "codesign" if self.storage is None else f"codesign:{self.run}"


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run. None is stored: a folder is the run, wherever it is copied, moved or unpacked."""

    path: Path

    @property
    def run_file(self) -> Path:
        """The recipe, its space's digest, and the storage."""
        return self.path / RUN_FILE

    @property
    def database(self) -> Path:
        """The study's SQLite file, where no other storage was named."""
        return self.path / "study.db"

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
    def fronts(self) -> Path:
        """Fronts of networks over the whole hardware space, kept as soon as they are proved."""
        return self.path / "fronts"

    @property
    def claims(self) -> Path:
        """Locks of the run's workers; stays empty."""
        return self.path / ".claims"

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

    def write_run(self, record: RunRecord) -> None:
        """Record what this run is; nobody else may read it."""
        document = {
            "format": _FORMAT,
            "run": record.run,
            "digest": record.recipe.digest,
            "storage": record.storage,
            "begun": record.begun,
            "verify": list(record.verify),
            "images": record.images,
            "recipe": inside(record.recipe.to_dict(), self.path),
        }
        write_durably(self.run_file, dump_yaml(document), private=True)

    def read_run(self) -> RunRecord:
        """What the run was made as.

        Raises:
            SpecError: no run here, a malformed file, links in place of the run's files, or a run of a recipe that this
                version reads otherwise.
        """
        where = str(self.run_file)
        if not self.run_file.exists():
            raise SpecError(Fault(str(self.path), "holds no run", "a folder that codesign explore made"))
        self._refuse_links()
        document: Any = load_yaml(self.run_file)
        keys = {"format", "run", "digest", "storage", "begun", "verify", "images", "recipe"}
        if isinstance(document, dict) and document.get("format") == _WITHOUT_VERIFY:
            document |= {"format": _FORMAT, "verify": list(DEFAULT_VERIFY), "images": DEFAULT_IMAGES}
        if not isinstance(document, dict) or set(document) != keys or document["format"] != _FORMAT:
            raise SpecError(Fault(where, "is not a run", f"format {_FORMAT} with " + ", ".join(sorted(keys))))
        run, storage, begun = str(document["run"]), document["storage"], document["begun"]
        if not _RUN_ID.fullmatch(run) or not isinstance(storage, str | None) or not isinstance(begun, bool):
            raise SpecError(
                Fault(where, "is not a run", "run: 32 hex digits; storage: text or nothing; begun: yes or no")
            )
        verify, images = document["verify"], document["images"]
        if not isinstance(verify, list) or type(images) is not int or not 1 <= images <= MAX_IMAGES:
            raise SpecError(Fault(where, "is not a run", f"verify: a list; images: 1 to {MAX_IMAGES}"))
        verify = tuple(map(str, verify))
        check_wanted(verify, f"{where}: verify")
        plain = outside(document["recipe"], self.path)
        try:
            recipe = parse_recipe(plain, f"{where}: recipe")
        except SpecError as error:
            if not (missing := missing_files(plain)):
                raise
            what = f"names {', '.join(missing)}, not found from here"
            raise SpecError([*error.faults, Fault(where, what, "the directory where the run was begun")]) from None
        if recipe.digest != document["digest"]:
            what = f"was made with another recipe ({str(document['digest'])[:12]}; here it is {recipe.digest[:12]})"
            if files := named_files(recipe.to_dict()):
                what += f", or what it names has changed since: {', '.join(files)}"
            raise SpecError(Fault(str(self.path), f"{what}; nothing was changed", "a new run in another folder"))
        return RunRecord(recipe, run, storage, begun, verify, images)

    def _refuse_links(self) -> None:
        """What a run writes stays in its folder: none of the places is a link to another."""
        places = [self.run_file, self.database, self.designs, self.networks, self.measured, self.fronts, self.hardware]
        places += [
            self.path / ".lock",
            self.claims,
            *(self.path / f"study.db-{part}" for part in ("wal", "shm", "journal")),
        ]
        for place in places:
            if place.is_symlink():
                raise SpecError(Fault(str(place), "is a link", "a run's own files and folders"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the lock ends with the process, however that ends.

        Raises:
            SpecError: another process holds it, or it cannot be written.
        """
        try:
            made = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.fdopen(os.open(self.path / ".lock", flags, 0o600), "w")
        except OSError as error:
            raise SpecError(
                Fault(str(self.path), f"cannot be written: {error.strerror}", "a folder of your own: --out runs/NAME")
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SpecError(
                    Fault(
                        str(self.path),
                        "another codesign explore is at work here",
                        f"--join {self.path} to work along with it, or --out",
                    )
                ) from None
            try:
                yield
            finally:
                if made and {item.name for item in self.path.iterdir()} <= {".lock", INPUTS}:  # refused before it began
                    shutil.rmtree(self.path)


def new_folder(out: str | None, recipe: str) -> RunFolder:
    """A folder for a new run: the one asked for, or the next free ``runs/RECIPE``, ``runs/RECIPE-2``, ...

    Raises:
        SpecError: the folder asked for holds a run or anything else, or cannot be written.
    """
    if out is None:
        base = Path("runs") / Path(recipe).stem
        number = 1
        path = base
        while _is_taken(path):
            number += 1
            path = base.with_name(f"{base.name}-{number}")
    else:
        path = Path(out)
        if (path / RUN_FILE).exists():
            raise SpecError(Fault(out, "holds a run already", f"--resume {out}, or another folder"))
    if path.exists() and not path.is_dir():
        raise SpecError(Fault(str(path), "is a file", "a folder: --out runs/NAME"))
    if _is_taken(path):
        raise SpecError(Fault(str(path), "holds files that are no run; nothing was changed", "a new or empty folder"))
    parent = path
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK | os.X_OK):
        raise SpecError(Fault(str(path), f"cannot be written: no permission in {parent}", "--out runs/NAME"))
    return RunFolder(path)


def _is_taken(path: Path) -> bool:
    """Whether anything is there that a new run would mix with, but for what one leaves that is killed as it begins."""
    try:
        names = {item.name for item in path.iterdir() if not is_partial(item)}
        return not (names <= {".lock"} or (names == {".lock", INPUTS} and not (path / INPUTS).is_symlink()))
    except FileNotFoundError:
        return False
    except OSError:
        return True
