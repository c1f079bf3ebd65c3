"""The ledger depends on seed and budget alone: not on workers, nor on being killed on the way."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.model.tiny_model import tiny_model
from zotheory.ledger import Ledger, recorded
from zotheory.papers import select
from zotheory.run import _in_turn, verify
from zotheory.vocabulary import Kind

HANDFUL = (
    "tezo.lemma1.norm4",
    "tezo.lemma1.tau_moments",
    "tezo.thm1.mean",
    "tezo.thm2.conditional_mean",
    "tezo.eq6.relu",
    "tezo.eq8.negligible_per_coordinate",
)
# Two claims whose sampler notes every shard that it begins; a function and a dataclass, since the
# two are told apart in different ways.
CLAIMS = """
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sympy as sp

from zotheory import Claim, Kind, Measurement, Statement, measured
from zotheory.statistics import Catoni, decide_equal

LOG = Path(__file__).with_name("log")
MEAN = sp.Symbol("E x^2")


def square(rng, size):
    x = rng.standard_normal(size)
    with LOG.open("a") as log:
        log.write(f"function {x[0]!r}\\n")
    time.sleep(0.03)
    return x**2


@dataclass(frozen=True)
class Square:
    factor: float

    def __call__(self, rng, size):
        x = rng.standard_normal(size)
        with LOG.open("a") as log:
            log.write(f"dataclass {x[0]!r}\\n")
        time.sleep(0.03)
        return self.factor * x**2


def plan(sampler, statement, context):
    target = float(statement.bound)
    decide = partial(decide_equal, method=Catoni(2.0), target=target, tolerance=0.05)
    return [Measurement("once", sampler, decide, shard_size=1000, max_shards=256)]


def claim(id, sampler):
    says = [Statement(f"E x^2 = {k}", sp.Eq(MEAN, k)) for k in (1, 2)]
    checks = (measured(partial(plan, sampler)),)
    return Claim(id, "", says[0], (Kind.MEASURED,), checks, mutant=says[1])


CLAIMS = [claim("my.function", square), claim("my.dataclass", Square(1.0))]
"""


def start(*arguments: object, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "zotheory", "verify", "--budget", "quick", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
        start_new_session=True,  # so that its workers can be killed with it
    )


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def ledger(out: Path) -> dict:
    """The ledger without the times."""
    found = Ledger.read(out / "ledger.json").to_json()
    found["claims"] = [{k: v for k, v in c.items() if k != "seconds"} for c in found["claims"]]
    return found


@pytest.mark.slow
def test_workers_and_string_hashes_change_nothing(tmp_path):
    for jobs in (1, 2):
        options = ("--model", "none", "--jobs", jobs, "--out", tmp_path / str(jobs))
        finish(start(*HANDFUL, *options, PYTHONHASHSEED=str(jobs)))
    assert ledger(tmp_path / "1") == ledger(tmp_path / "2")
    assert len(ledger(tmp_path / "1")["claims"]) == len(HANDFUL)


def shards(folder: Path) -> Counter:
    """How often each shard was begun; its first random number tells it from all others."""
    log = folder / "log"
    return Counter(log.read_text().splitlines()) if log.is_file() else Counter()


@pytest.fixture
def claims_file(tmp_path):
    path = tmp_path / "logged.py"
    path.write_text(CLAIMS)
    return path


def judge(path: Path, out: str, **options) -> None:
    """A whole run of a claims file, in this process."""
    verify(str(path), budget="quick", model=None, out=path.parent / out, **options)


def kill_after(folder: Path, count: int, process: subprocess.Popen) -> None:
    """SIGKILL the run and its workers once `count` shards have begun."""
    deadline = time.monotonic() + 120
    while shards(folder).total() < count:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize(("jobs", "killed_at"), [(1, 10), (2, 40)])
def test_a_killed_run_resumes_where_it_was(claims_file, jobs, killed_at):
    folder = claims_file.parent
    judge(claims_file, "whole")
    every = shards(folder)
    assert set(every.values()) == {1}  # the mutant's measurement reuses the claim's shards
    (folder / "log").unlink()

    options = (claims_file, "--jobs", jobs, "--out", folder / "killed", "--model", "none")
    kill_after(folder, killed_at, start(*options))
    before = shards(folder)
    assert before.total() < every.total()
    finish(start(*options, "--resume"))

    assert ledger(folder / "killed") == ledger(folder / "whole")
    after = shards(folder)
    assert set(after) == set(every)
    assert after.total() <= every.total() + jobs  # again: what was being drawn at the kill


def test_old_work_is_reused_only_when_asked_and_only_if_it_is_the_same(claims_file):
    folder = claims_file.parent
    judge(claims_file, "out")
    once = shards(folder)
    judge(claims_file, "out", resume=True)
    assert shards(folder) == once  # nothing left to do
    judge(claims_file, "out")
    assert shards(folder) == once + once  # not asked: begun anew
    judge(claims_file, "out", seed=1, resume=True)
    other = shards(folder) - once - once
    assert other.total() >= once.total()  # another seed: other numbers, nothing reused
    assert not set(other) & set(once)


def test_changed_claims_are_judged_anew_on_resume(claims_file):
    judge(claims_file, "out")
    claims_file.write_text(CLAIMS.replace("return x**2", "return 4 * x**2"))
    judge(claims_file, "out", resume=True)
    found = {c["id"]: c["verdict"] for c in ledger(claims_file.parent / "out")["claims"]}
    assert found == {"my.function": "refuted", "my.dataclass": "confirmed"}


@pytest.mark.slow
def test_workers_change_nothing_on_a_model(tmp_path):
    tiny, names = tiny_model(), ("smezo.mask_changes", "smezo.alg3.magnitude", "smezo.appendix8")
    tiny.model.save_pretrained(tmp_path / "tiny")
    tiny.tokenizer.save_pretrained(tmp_path / "tiny")
    for jobs in (1, 2):
        options = ("--model", tmp_path / "tiny", "--jobs", jobs, "--out", tmp_path / str(jobs))
        finish(start(*names, *options))
    assert ledger(tmp_path / "1") == ledger(tmp_path / "2")
    assert {c["reason"] for c in ledger(tmp_path / "1")["claims"]} == {""}


def test_the_longest_on_the_model_come_first_and_the_clock_last():
    seconds = {entry.id: entry.seconds for entry in recorded().claims}
    turns = _in_turn(select([]))
    kinds = [(Kind.TIMED in c.needs, Kind.MODEL in c.needs) for c in turns]
    assert kinds == sorted(kinds)
    assert set(kinds) == {(False, False), (False, True), (True, False)}
    on_model = [seconds[c.id] for c in turns if Kind.MODEL in c.needs]
    assert on_model == sorted(on_model, reverse=True)
