"""What a check finds, and all that the checks of one implementation found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from zotheory.views import as_html

if TYPE_CHECKING:
    import pandas as pd

    from zotheory.checking.subject import Subject

Status = Literal["passed", "failed", "not applicable"]


class CheckError(Exception):
    """What is asked cannot be checked; the message says why in one line."""


class Failed(Exception):
    """A check fails: the smallest example in words, and its numbers."""

    def __init__(self, told: str, **numbers: float) -> None:
        super().__init__(told)
        self.numbers = numbers


class NotApplicable(Exception):
    """A check has nothing to say of this implementation; the message says why."""


@dataclass(frozen=True)
class Passed:
    """A check passes: what was seen, and its numbers."""

    told: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One check: its name, its group, why it matters, and the function that makes it.

    make: takes a `Subject`; returns `Passed`, raises `Failed` or `NotApplicable`.
    """

    name: str
    group: str
    why: str
    make: Callable[[Subject], Passed]


@dataclass(frozen=True)
class Result:
    """What one check found of one implementation."""

    check: str
    group: str
    why: str
    status: Status
    told: str
    numbers: dict[str, float]


@dataclass(frozen=True, repr=False)
class Report:
    """What all checks found of one implementation."""

    subject: str
    results: tuple[Result, ...]

    def __repr__(self) -> str:
        parts = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        return f"<Report on {self.subject}: {parts}>"

    def __getitem__(self, check: str) -> Result:
        """The result of one check by its name; KeyError for another name."""
        return {result.check: result for result in self.results}[check]

    @property
    def counts(self) -> dict[str, int]:
        """How many checks passed, failed, and did not apply."""
        found = [result.status for result in self.results]
        return {status: found.count(status) for status in ("passed", "failed", "not applicable")}

    @property
    def failed(self) -> tuple[Result, ...]:
        """The results of the checks that failed."""
        return tuple(result for result in self.results if result.status == "failed")

    def frame(self) -> pd.DataFrame:
        """One row a check: check, group, status, told, numbers, why."""
        import pandas as pd

        return pd.DataFrame([asdict(result) for result in self.results])

    def json(self) -> str:
        """The report as JSON; the same for the same implementation, seed and machine."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, default=float)

    def _repr_html_(self) -> str:
        return as_html(self)
