"""What tests of the command line share."""

import os
import sys
from collections.abc import Callable

import pytest

from zotheory import cli

# Spinning OpenMP threads are dear; read when torch is first imported, which no import above does.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs `zotheory ARGUMENTS...` in this process: exit status, standard output and error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zotheory", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        told = capsys.readouterr()
        return stopped.value.code or 0, told.out, told.err

    return run
