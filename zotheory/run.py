"""A run: claims in, a ledger out, one entry at a time, stoppable and resumable."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky import process_executor

from zotheory.arguments import as_path, flag, one_of, whole
from zotheory.budget import BUDGETS, OWN_MODEL, Budget
from zotheory.context import Context
from zotheory.files import read_json, write_atomically
from zotheory.judge import judge
from zotheory.ledger import Entry, Ledger, recorded, versions
from zotheory.model.source import model_source
from zotheory.montecarlo import MonteCarlo
from zotheory.papers import claim as declared_claim
from zotheory.papers import files_digest, is_declared, listed, select
from zotheory.relay import Relay, say
from zotheory.report.page import write_page
from zotheory.vocabulary import Claim


class OutputError(Exception):
    """The output folder cannot be written."""


@dataclass(frozen=True)
class Run:
    """What a run depends on; the same values give the same ledger apart from seconds.

    Attributes:
        seed: the root seed of every random stream.
        budget: limits on samples, evaluations and batches.
        model: the causal LM for model claims, or None to leave them out.
        out: the folder for the ledger and its page and, under `scratch`, finished work.
        jobs: worker processes; they change how fast the ledger fills, not what it says.
        dask: the address of a Dask cluster that runs them instead.
        resume: keep the finished work of an interrupted run with the same seed and budget.
        files: a fingerprint of the claims files that the claims come from, if any.
    """

    seed: int
    budget: Budget
    model: str | None
    out: Path
    jobs: int = 1
    dask: str | None = None
    resume: bool = False
    files: str = ""

    def entries(
        self, claims: Sequence[Claim], tell: Callable[[str], None] = lambda _: None
    ) -> Iterator[Entry]:
        """Judge the claims; yield each entry when it is made and keep the ledger on disk.

        At the end `ledger.html` is written beside `ledger.json`.
        Claims on the real model come late and those on the clock last: all else is read meanwhile.

        Raises:
            OutputError: the output folder cannot be made or written.
            MonteCarloError: no Dask scheduler answers.
        """
        scratch = self._prepare()
        done: dict[str, Entry] = {}
        for claim_id, entry in self._judged(claims, scratch, tell):
            done[claim_id] = entry
            self._write([done[c.id] for c in claims if c.id in done])
            yield entry
        self._write_page()

    def _judged(
        self, claims: Sequence[Claim], scratch: Path, tell: Callable[[str], None]
    ) -> Iterator[tuple[str, Entry]]:
        """Entries as they are made: kept ones, then several claims at a time, then one by one.

        Claims on the clock have the machine to themselves; one claim alone, or one from a file,
        has all workers for its shards.
        """
        kept = {c.id: scratch / "entries" / f"{c.id}.json" for c in claims}
        for claim in claims:
            if kept[claim.id].is_file():
                yield claim.id, Entry.from_json(read_json(kept[claim.id]))
        left = _in_turn(c for c in claims if not kept[c.id].is_file())
        together = [c for c in left if is_declared(c) and not _by_the_clock(c)]
        if self.jobs == 1 or self.dask or len(together) < 2:
            together = []
        alone = [c for c in left if c not in together]
        for claim_id, entry in self._finished(together, alone, scratch, tell):
            if not entry.failed and not entry.missing:
                write_atomically(kept[claim_id], json.dumps(entry.to_json()))
            yield claim_id, entry

    def _finished(
        self,
        together: Sequence[Claim],
        alone: Sequence[Claim],
        scratch: Path,
        tell: Callable[[str], None],
    ) -> Iterator[tuple[str, Entry]]:
        engine = MonteCarlo(self.seed, self.jobs, self.dask, scratch / "shards")
        with engine:
            engine.connect()
            if together:
                tell(f"{len(together)} claims on {self.jobs} workers")
                tasks = (delayed(_judge_in_worker)(c.id, self, scratch) for c in together)
                with Relay(_said(scratch), tell):
                    yield from Parallel(self.jobs, return_as="generator_unordered")(tasks)
            for claim in alone:
                context = Context(
                    claim.id, self.seed, self.budget, engine, self.model, scratch, tell
                )
                yield claim.id, judge(claim, context)

    def _write(self, entries: Sequence[Entry]) -> None:
        ledger = Ledger(self.seed, self.budget.name, versions(), tuple(entries))
        with self._writing():
            ledger.write(self.out / "ledger.json")

    def _write_page(self) -> None:
        with self._writing():
            write_page(Ledger.read(self.out / "ledger.json"), self.out / "ledger.html")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot write {self.out}: {error.strerror}") from error

    def _prepare(self) -> Path:
        """Make the folders; drop finished work that belongs to another run."""
        scratch = self.out / "scratch"
        key = json.dumps(
            [self.seed, self.budget.name, self.model, self.files, versions(), _source()]
        )
        with self._writing():
            marker = scratch / "run.json"
            if scratch.exists() and not marker.is_file():
                raise OutputError(f"{scratch} is in the way: no run of zotheory made it")
            if not (self.resume and marker.is_file() and marker.read_text() == key):
                shutil.rmtree(scratch, ignore_errors=True)
            for folder in (scratch / "shards", scratch / "entries"):
                folder.mkdir(parents=True, exist_ok=True)
            write_atomically(marker, key)
            (self.out / "ledger.html").unlink(missing_ok=True)  # it tells of an earlier run
        return scratch


def _in_turn(claims: Iterable[Claim]) -> list[Claim]:
    """Claims without the model, then those on it, the longest first, then those on the clock.

    The longest first leaves no worker idle at the end, and claims that share a study behind the
    one that measures it; the recorded ledger says how long each takes.
    """
    seconds = {entry.id: entry.seconds for entry in recorded().claims}

    def turn(claim: Claim) -> tuple[bool, bool, float]:
        on_model = any(kind.needs_model for kind in claim.needs)
        return _by_the_clock(claim), on_model, -seconds.get(claim.id, 0.0) * on_model

    return sorted(claims, key=turn)


def _by_the_clock(claim: Claim) -> bool:
    return any(kind.by_the_clock for kind in claim.needs)


def _said(scratch: Path) -> Path:
    return scratch / "said"


def _judge_in_worker(claim_id: str, run: Run, scratch: Path) -> tuple[str, Entry]:
    """Judge a claim of the toolkit's own; named, since SymPy evaluates relations it unpickles."""
    # loky would replace a worker that has grown by 300 MB, and with it the model that claims share.
    process_executor._MAX_MEMORY_LEAK_SIZE = float("inf")
    claim = declared_claim(claim_id)
    engine = MonteCarlo(run.seed, store=scratch / "shards")
    tell = partial(say, _said(scratch))
    context = Context(claim.id, run.seed, run.budget, engine, run.model, scratch, tell)
    return claim_id, judge(claim, context)


def asked_model(model: str | PathLike[str] | None) -> str | None:
    """The model as a run takes it; None and "none" leave the claims on one out.

    Raises ModelError, before any work, for what can be no model.
    """
    if model is None or model == "none":
        return None
    return OWN_MODEL if model == OWN_MODEL else model_source(model)


def verify(
    *names: Any,
    budget: str = "standard",
    model: str | PathLike[str] | None = OWN_MODEL,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    jobs: int = 1,
    resume: bool = False,
) -> Ledger:
    """Judge claims, as `zotheory verify` does, and return the ledger.

    Names are ids, papers, claims files and `Claim` objects, those of one's own too, alone or in
    lists, tuples and sets; all claims for no name. `out` keeps the ledger and finished work; a
    temporary folder is used without it.

    Raises:
        UnknownClaim, BrokenClaims: a name that names nothing, a file that cannot be loaded, or a
            claim of one's own that is called like another.
        ModelError: `model` is a path to no model.
        ValueError: another argument cannot be taken. `resume` cannot where a Claim of one's own
            is given as an object: whether its checks have changed is not to be seen.
        OutputError: `out` cannot be written.

    Example:
        >>> verify("tezo.lemma1", model=None).frame()[["verdict"]]
    """
    budget = one_of("budget", budget, BUDGETS)
    seed, jobs = whole("seed", seed, 0), whole("jobs", jobs, 1)
    resume, model = flag("resume", resume), asked_model(model)
    out = None if out is None else as_path("out", out)
    given = listed(names)
    claims = select(given)
    own = [c.id for c in given if isinstance(c, Claim) and not is_declared(c)]
    if resume and own:
        told = ", ".join(own)
        raise ValueError(f"resume cannot see whether {told} has changed: put it into a claims file")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if out is None else out
        files = files_digest(given)
        run = Run(seed, BUDGETS[budget], model, folder, jobs, resume=resume, files=files)
        for _ in run.entries(claims):
            pass
        return Ledger.read(folder / "ledger.json")


def _source() -> str:
    """A fingerprint of the toolkit's own code: changed code never reuses old work."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for package in ("proofs_check", "estimators", "zotheory"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
