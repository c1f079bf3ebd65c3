import pytest

from tests.montecarlo.runs import FailsAt, KillsItsWorkerOnce, draws, gram_trace, same
from zotheory.montecarlo import MonteCarlo, MonteCarloError, stream

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def alone():
    return MonteCarlo(seed=0).run("gram", gram_trace, range(24), 4)


def test_a_cluster_agrees_bit_for_bit_with_this_process(address, alone):
    with MonteCarlo(seed=0, dask=address) as mc:
        assert same(alone, mc.run("gram", gram_trace, range(24), 4))


def test_a_worker_killed_mid_run_changes_nothing(address, alone, tmp_path):
    sampler = KillsItsWorkerOnce(tmp_path / "log", tmp_path / "marker")
    with MonteCarlo(seed=0, dask=address, store=tmp_path / "store") as mc:
        killed = mc.run("gram", sampler, range(24), 4)
    assert sampler.marker.exists()
    assert same(alone, killed)
    assert len(list((tmp_path / "store").rglob("*.shard"))) == 24
    drawn = draws(sampler.log)
    with MonteCarlo(seed=0, dask=address, store=tmp_path / "store") as mc:
        assert same(alone, mc.run("gram", sampler, range(24), 4))
    assert draws(sampler.log) == drawn


def test_a_raising_sampler_is_named_and_the_cluster_goes_on(address, alone, tmp_path):
    bad = FailsAt(stream(0, "my.claim", 4).standard_normal(), "raise")
    with MonteCarlo(seed=0, dask=address) as mc:
        with pytest.raises(MonteCarloError, match=r"^my\.claim, shard 4: ZeroDivisionError"):
            mc.run("my.claim", bad, range(6), 10)
        assert same(alone[:3], mc.run("gram", gram_trace, range(3), 4))


def test_no_scheduler_there():
    mc = MonteCarlo(seed=0, dask="tcp://127.0.0.1:9")
    with pytest.raises(MonteCarloError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        mc.run("my.claim", gram_trace, range(3), 4)
