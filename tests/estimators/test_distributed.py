"""Two real processes over gloo: what they send, and that they stay equal."""

import os
from datetime import timedelta
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import nn

import estimators
from estimators.trainer import ZerothOrderTrainer
from tests.estimators import ranks
from tests.estimators.language import arguments, sentences, tiny_llama
from tests.estimators.problems import Table, build

# Evaluations a step whose points are chosen at once, from the methods' definitions.
EXCHANGES = {"mezo": [2], "q_spsa": [8], "one_sided": [4], "nes": [4], "hizoo": [3]}
EXCHANGES |= {"mezo_gv": [4, 2], "mezo_greedy": [4, 2], "zo_sgd_cons": [1, 2, 2], "tezo": [2]}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return ranks.run(tmp_path_factory.mktemp("ranks"))


def describe(case):
    return "-".join(map(str, case)).replace("torch.", "")


@pytest.mark.parametrize("case", ranks.TRAINED, ids=describe)
def test_all_ranks_hold_the_same_weights_after_every_step(found, case):
    first, second = (result["train", *case] for result in found)
    assert first["hashes"] == second["hashes"]
    assert len(set(first["hashes"])) == ranks.STEPS


@pytest.mark.parametrize("case", ranks.MEASURED, ids=describe)
def test_all_ranks_measure_the_same_rate_from_losses_alone(found, case):
    first, second = (result["measure", *case] for result in found)
    assert first == second
    assert first["rule"]["rate"] > 0
    assert len(first["rates"]) > 1
    assert first["sent"] == {"c10d::allgather_"}


@pytest.mark.parametrize("case", ranks.TRAINED, ids=describe)
def test_only_losses_cross_the_network(found, case):
    """One collective an exchange, of 8 bytes for every loss that this rank evaluated."""
    for rank, result in enumerate(found):
        for sent, called in zip(
            result["train", *case]["traffic"], result["train", *case]["called"], strict=True
        ):
            assert {name for name, _ in sent} == {"c10d::allgather_"}
            assert called >= 1 - rank
            # A rank without a point of its own (of an odd number) sends a place holder.
            padding = sum(size for _, size in sent) - 8 * called
            assert 0 <= padding <= (8 * len(sent) if case[1] == "directions" else 0)


@pytest.mark.parametrize("mode", ranks.MODES)
@pytest.mark.parametrize("name", EXCHANGES)
def test_the_number_of_collectives_and_evaluations(found, name, mode):
    for rank, result in enumerate(found):
        seen = result["train", name, mode, torch.float32, "inplace"]
        for sent, called in zip(seen["traffic"], seen["called"], strict=True):
            counts = EXCHANGES[name]
            if mode == "data":
                assert called == sum(counts)
                assert [size for _, size in sent] == [8 * count for count in counts]
            else:
                assert called == sum((count + 1 - rank) // 2 for count in counts)
                assert [size for _, size in sent] == [8 * -(-count // 2) for count in counts]


@pytest.mark.parametrize("mode", ranks.MODES)
@pytest.mark.parametrize("name", ["mezo", "tezo_adam", "svd0", "mezo_gv", "hizoo", "s_mezo"])
def test_two_ranks_make_the_steps_of_one_process(found, name, mode):
    """On the mean loss of both minibatches, or on the one batch: bit for bit."""
    model = Table(torch.float32)
    losses = [ranks.batch_loss(model, rank) for rank in range(2)]
    mean = (lambda: (losses[0]() + losses[1]()) / 2) if mode == "data" else losses[0]
    options = {} if mode == "data" else {"restore": "copy"}
    options |= {"lr": 1e-2, "seed": 4, "weight_decay": 0.01}
    optimizer = build(name, model, **options)
    hashes = []
    for _ in range(ranks.STEPS):
        optimizer.step(mean)
        hashes.append(ranks.digest(model))
    result = found[1]["train", name, mode, torch.float32, "inplace"]
    log = estimators.Log.from_state_dict(result["log"])
    assert log.losses == optimizer.log.losses
    assert hashes == result["hashes"]

    model = Table(torch.float32)
    estimators.replay(build(name, model, **options), log)
    assert ranks.digest(model) == hashes[-1]


@pytest.mark.parametrize("case", ranks.FAILED, ids=describe)
def test_a_failure_on_one_rank_is_an_error_on_all(found, case):
    _, mode, kind, culprit = case
    first, second = (result["fail", *case] for result in found)
    assert first["message"] == second["message"]
    assert f"no finite loss on rank {culprit} " in first["message"]
    causes = [first["cause"], second["cause"]]
    told = {"raise": "no more data", "nan": "returned nan", "shape": "scalar loss"}[kind]
    assert told in causes.pop(culprit)
    assert causes == ["None"]
    # Rounding only where the noise is taken back off, and the same on both ranks.
    assert max(first["moved"], second["moved"]) <= (1e-6 if mode == "data" else 0.0)
    assert first["hashes"] == second["hashes"]
    assert first["steps"] == second["steps"] == 2


@pytest.mark.parametrize("what", ranks.DISAGREE)
def test_ranks_that_disagree_are_told_at_construction(found, what):
    for result in found:
        assert f"the ranks differ in their {what}" in result["disagree", what]


def test_the_trainer_shares_its_batches(found, tmp_path):
    """Two ranks with 2 sentences each make the steps of one process with 4; no DDP."""
    first, second = (result["trainer"] for result in found)
    assert first == second
    assert first["world"] == ranks.RANKS
    assert first["kinds"] == ["LlamaForCausalLM"]
    run = ZerothOrderTrainer(
        tiny_llama(),
        arguments(tmp_path, max_steps=3, per_device_train_batch_size=4),
        recipe=partial(build, "tezo"),
        train_dataset=sentences(12),
    )
    run.train()
    losses = run.optimizer.optimizer.log.losses
    torch.testing.assert_close(first["losses"], losses, rtol=0, atol=1e-5)


def mean_loss(outputs, labels, num_items_in_batch=None):
    """The loss of a batch as a float, divided by the tokens of all batches of all ranks."""
    logits, labels = outputs.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
    return loss.item() / float(num_items_in_batch)


def accumulated(folder, size, batches, function):
    """Train three steps; return the losses and a hash of the weights."""
    run = ZerothOrderTrainer(
        tiny_llama(),
        arguments(
            folder,
            max_steps=3,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=batches,
        ),
        recipe="mezo",
        train_dataset=sentences(12),
        compute_loss_func=function,
    )
    result = run.train()
    return run.optimizer.optimizer.log.losses, result.training_loss, ranks.digest(run.model)


def accumulate(rank, folder):
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks.RANKS)}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": "0"}  # read, not used: we have met
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=ranks.RANKS,
        timeout=timedelta(minutes=2),
    )
    found = [accumulated(folder / "trainer", 1, 2, function) for function in (None, mean_loss)]
    torch.save(found, folder / f"rank{rank}")
    dist.destroy_process_group()


@pytest.mark.slow
def test_the_trainer_accumulates_on_every_rank(tmp_path):
    """Two ranks with twice one sentence, of uneven lengths, are one process with four."""
    ranks.start(accumulate, tmp_path)
    first, second = (torch.load(tmp_path / f"rank{rank}") for rank in range(ranks.RANKS))
    assert first == second
    losses, mean, _ = accumulated(tmp_path / "trainer", 4, 1, None)
    for found in first:
        torch.testing.assert_close(found[0], losses, rtol=0, atol=1e-5)
        assert found[1] == pytest.approx(mean, abs=1e-5)


def test_bad_arguments():
    optimizer = build("mezo", Table())
    with pytest.raises(RuntimeError, match="init_process_group"):
        estimators.data_parallel(optimizer)
    with pytest.raises(ValueError, match="mode must be"):
        estimators.data_parallel(optimizer, "both")


def test_a_group_of_one(tmp_path):
    """One rank alone behaves like no group at all; a replay asks nobody."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/g", rank=0, world_size=1)
    try:
        with pytest.raises(ValueError, match='needs restore="copy"'):
            estimators.data_parallel(build("mezo", Table(), restore="regenerate"), "directions")
        ends = []
        for shared in (False, True):
            model = Table(torch.float32)
            optimizer = build("tezo", model, seed=1, lr=1e-2)
            if shared:
                estimators.data_parallel(optimizer)
            optimizer.step(ranks.batch_loss(model, 0))
            ends.append(ranks.digest(model))
        assert ends[0] == ends[1]
        model = Table(torch.float32)
        fresh = estimators.data_parallel(build("tezo", model, seed=1, lr=1e-2))
        with ranks.Traffic() as seen:
            estimators.replay(fresh, optimizer.log)
        assert not seen.sent
        assert ranks.digest(model) == ends[0]
    finally:
        dist.destroy_process_group()
