"""The command line: each command is the twin of a public function of `codesign`."""

from codesign.cli.main import main

__all__ = ["main"]
