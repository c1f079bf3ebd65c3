import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from tests.montecarlo.runs import (
    FailsAt,
    KillsItsWorkerOnce,
    Logged,
    draws,
    gram_trace,
    process_facts,
    same,
    square,
)
from zotheory.montecarlo import MonteCarlo, MonteCarloError, merge, stream


def test_shards_have_the_right_moments():
    total = merge(MonteCarlo(seed=1).run("chi2", square, range(50), 2000))
    assert total.count == 100_000
    assert abs(total.mean - 1) < 5 * np.sqrt(2 / 100_000)


def test_a_shard_depends_on_seed_name_and_number_only():
    a = MonteCarlo(seed=1).run("chi2", square, range(6), 100)
    assert same(a[3:5], MonteCarlo(seed=1).run("chi2", square, range(3, 5), 100))
    assert not same(a, MonteCarlo(seed=2).run("chi2", square, range(6), 100))
    assert not same(a, MonteCarlo(seed=1).run("other", square, range(6), 100))


def test_processes_agree_bit_for_bit_with_this_one():
    alone = MonteCarlo(seed=3).run("gram", gram_trace, range(10), 5)
    assert same(alone, MonteCarlo(seed=3, jobs=2).run("gram", gram_trace, range(10), 5))


def test_processes_are_kept_and_do_not_import_torch():
    get_reusable_executor().shutdown(wait=True)  # other tests' tasks may have imported torch
    mc = MonteCarlo(seed=0, jobs=2)
    first = merge(mc.run("a", process_facts, range(8), 1))
    again = merge(mc.run("b", process_facts, range(8), 1))
    assert first.mean[0] != os.getpid()
    assert first.mean[1] == again.mean[1] == 0
    pids = {int(x.mean[0]) for name in "cd" for x in mc.run(name, process_facts, range(8), 1)}
    assert len(pids) <= 2


def test_blas_threads_are_restored():
    from threadpoolctl import threadpool_info

    before = [library["num_threads"] for library in threadpool_info()]
    MonteCarlo(seed=0).run("gram", gram_trace, range(2), 2)
    assert [library["num_threads"] for library in threadpool_info()][: len(before)] == before


def test_stored_shards_are_not_drawn_again(tmp_path):
    mc, log = MonteCarlo(seed=0, store=tmp_path / "store"), tmp_path / "log"
    first = mc.run("chi2", Logged(log), range(5), 10)
    assert draws(log) == 5
    more = mc.run("chi2", Logged(log), range(8), 10)
    assert draws(log) == 8
    assert same(first, more[:5])
    assert same(more, MonteCarlo(seed=0).run("chi2", square, range(8), 10))


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"name": "x"}, {"shard_size": 11}, {"fingerprint": "v2"}]
)
def test_another_run_does_not_take_stored_shards(tmp_path, other):
    run = {"seed": 0, "name": "chi2", "shard_size": 10, "fingerprint": "v1"}
    log = tmp_path / "log"
    for arguments in (run, run | other):
        seed = arguments["seed"]
        rest = {key: value for key, value in arguments.items() if key != "seed"}
        mc = MonteCarlo(seed, store=tmp_path / "store")
        mc.run(sampler=Logged(log), shards=range(3), **rest)
    assert draws(log) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole, other: whole[:-1],
        lambda whole, other: b"",
        lambda whole, other: whole[:60] + bytes([whole[60] ^ 1]) + whole[61:],
        lambda whole, other: other,
    ],
    ids=["cut", "empty", "flipped bit", "another shard"],
)
def test_damaged_shards_are_drawn_again(tmp_path, damage):
    mc, log = MonteCarlo(seed=0, store=tmp_path / "store"), tmp_path / "log"
    whole = mc.run("chi2", Logged(log), range(3), 10)
    paths = sorted((tmp_path / "store").rglob("*.shard"))
    paths[1].write_bytes(damage(paths[1].read_bytes(), paths[0].read_bytes()))
    with pytest.warns(UserWarning, match="damaged"):
        repaired = mc.run("chi2", Logged(log), range(3), 10)
    assert same(whole, repaired)
    assert draws(log) == 4
    assert same(whole, mc.run("chi2", Logged(log), range(3), 10))
    assert draws(log) == 4


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise", "ZeroDivisionError: no gradient here"),
        ("nan", "NaN"),
        ("inf", "infinity"),
        ("short", r"\(9,\)"),
        ("cube", r"\(10, 1, 1\)"),
        ("complex", "complex128"),
        ("text", "float64"),
    ],
)
def test_a_bad_sampler_is_named_with_its_shard(tmp_path, jobs, how, message):
    bad = FailsAt(stream(0, "my.claim", 4).standard_normal(), how)
    mc = MonteCarlo(seed=0, jobs=jobs, store=tmp_path)
    with pytest.raises(MonteCarloError, match=rf"^my\.claim, shard 4: .*{message}"):
        mc.run("my.claim", bad, range(6), 10)
    if jobs == 1:
        assert [p.name for p in sorted(tmp_path.rglob("*.shard"))] == [
            f"{shard:08d}.shard" for shard in range(4)
        ]


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="jobs"):
        MonteCarlo(seed=0, jobs=0)
    with pytest.raises(ValueError, match="seed"):
        MonteCarlo(seed=-1)
    mc = MonteCarlo(seed=0)
    with pytest.raises(ValueError, match=r"my\.claim: shards"):
        mc.run("my.claim", square, range(0), 10)
    with pytest.raises(ValueError, match=r"my\.claim: shards"):
        mc.run("my.claim", square, range(-1, 3), 10)
    with pytest.raises(ValueError, match=r"my\.claim: shard_size"):
        mc.run("my.claim", square, range(3), 0)
    (tmp_path / "file").touch()
    with pytest.raises(MonteCarloError, match=r"my\.claim: cannot keep shards"):
        MonteCarlo(seed=0, store=tmp_path / "file").run("my.claim", square, range(3), 10)


def test_a_local_worker_killed_is_one_clear_error_and_the_next_run_goes_on(tmp_path):
    mc = MonteCarlo(seed=0, jobs=2, store=tmp_path / "store")
    sampler = KillsItsWorkerOnce(tmp_path / "log", tmp_path / "marker")
    with pytest.raises(MonteCarloError, match=r"^my\.claim: the workers failed: \w+: .*$") as error:
        mc.run("my.claim", sampler, range(12), 4)
    assert "\n" not in str(error.value)
    resumed = mc.run("my.claim", sampler, range(12), 4)
    assert same(resumed, MonteCarlo(seed=0).run("my.claim", gram_trace, range(12), 4))


def test_an_unpicklable_sampler_is_one_clear_error():
    mc = MonteCarlo(seed=0, jobs=2)
    lock = threading.Lock()
    with pytest.raises(MonteCarloError, match=r"my\.claim: the workers failed"):
        mc.run("my.claim", lambda rng, size: lock, range(4), 10)


VICTIM = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from tests.montecarlo.runs import Logged
from zotheory.montecarlo import MonteCarlo
mc = MonteCarlo(seed=0, jobs={jobs}, store=Path({store!r}))
mc.run("chi2", Logged(Path({log!r}), seconds=0.02), range(400), 10)
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_goes_on_without_repeating_a_finished_shard(tmp_path, jobs):
    store, log = tmp_path / "store", tmp_path / "log"
    code = VICTIM.format(paths=sys.path, store=str(store), log=str(log), jobs=jobs)
    victim = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list(store.rglob("*.shard"))) < 20:
        assert victim.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    drawn, finished = draws(log), len(list(store.rglob("*.shard")))
    assert 20 <= finished < 400
    assert drawn - finished <= jobs  # at most the shards that were under way

    resumed = MonteCarlo(seed=0, store=store).run("chi2", Logged(log), range(400), 10)
    assert draws(log) - drawn == 400 - finished
    assert same(resumed, MonteCarlo(seed=0).run("chi2", square, range(400), 10))
