"""What claims share is measured once: in a process, among workers, and after an interruption."""

import time
from multiprocessing import get_context

import pytest

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(modelled, "_DONE", {})


def context(scratch, claim="a.b", seed=0, budget="quick"):
    return Context(claim, seed, BUDGETS[budget], None, "model", scratch)


def test_the_second_claim_gets_what_the_first_measured(tmp_path):
    made = []

    def measure(asked):
        made.append((asked.seed, asked.budget.name))
        return len(made)

    def once(name, **changes):
        folder = tmp_path / "-".join(str(value) for value in changes.values())
        changes.pop("claim", None)
        return modelled.once(name, context(folder, **changes), measure)

    assert once("study") == once("study", claim="a.c") == 1
    assert [once("study", seed=1), once("study", budget="deep"), once("other")] == [2, 3, 4]
    assert made == [(0, "quick"), (1, "quick"), (0, "deep"), (0, "quick")]


def test_a_resumed_run_reads_it(tmp_path, monkeypatch):
    assert modelled.once("gradients, loss 1e-3", context(tmp_path), lambda _: [1.5]) == [1.5]
    monkeypatch.setattr(modelled, "_DONE", {})

    def never(_):
        raise AssertionError("measured again")

    assert modelled.once("gradients, loss 1e-3", context(tmp_path), never) == [1.5]


def test_a_failure_is_not_kept(tmp_path):
    with pytest.raises(ZeroDivisionError):
        modelled.once("study", context(tmp_path), lambda _: 1 / 0)
    assert modelled.once("study", context(tmp_path), lambda _: 2) == 2


def _measure(asked):
    with (asked.scratch / "made").open("a") as made:
        made.write("x")
    time.sleep(0.3)
    return 7


def _in_worker(folder, found):
    found.put(modelled.once("study", context(folder), _measure))


def test_workers_wait_for_the_one_that_measures(tmp_path):
    spawn = get_context("spawn")
    found = spawn.Queue()
    workers = [spawn.Process(target=_in_worker, args=(tmp_path, found)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert [found.get(timeout=60) for _ in workers] == [7, 7, 7]
    for worker in workers:
        worker.join()
    assert (tmp_path / "made").read_text() == "x"
