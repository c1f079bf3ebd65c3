"""What each of two processes does for test_distributed.py, and how they are started."""

import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import estimators
from estimators import philox, streams
from estimators.trainer import ZerothOrderTrainer
from tests.estimators.language import arguments, sentences, tiny_llama
from tests.estimators.problems import RECIPES, Recorder, Table, build, net_problem

RANKS = 2
MODES = ["data", "directions"]
STEPS = 3


class Traffic(TorchDispatchMode):
    """Records the name and the bytes sent of every collective of torch.distributed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, int]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace in ("c10d", "_c10d_functional"):
            inputs = args[1] if func._schema.name == "c10d::allgather_" else args
            tensors = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]
            self.sent.append((func._schema.name, sum(t.nbytes for t in tensors)))
        return func(*args, **(kwargs or {}))


def batch_loss(model: Table, rank: int) -> Callable[[], Tensor]:
    """Return the loss on minibatch number `rank`."""
    loss = Recorder(model)
    generator = torch.Generator().manual_seed(100 + rank)
    loss.slope = torch.randn(len(loss.slope), dtype=torch.float64, generator=generator)
    return loss


def digest(model: nn.Module) -> str:
    """Return a hash of the bits of all weights."""
    found = hashlib.sha256()
    for parameter in model.parameters():
        found.update(parameter.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def train(name: str, mode: str, rank: int, dtype: torch.dtype, apply: str) -> dict[str, Any]:
    """Make a few steps; return the weights' hash and the traffic of each."""
    if apply == "forward":
        model, closure = net_problem(dtype)
    else:
        model = Table(dtype)
        closure = batch_loss(model, rank if mode == "data" else 0)
    optimizer = build(name, model, lr=1e-2, seed=4, weight_decay=0.01, apply=apply)
    estimators.data_parallel(optimizer, mode)
    hashes, traffic, called = [], [], []

    def counted() -> Tensor:
        called[-1] += 1
        return closure()

    for _ in range(STEPS):
        called.append(0)
        with Traffic() as seen:
            optimizer.step(counted)
        hashes.append(digest(model))
        traffic.append(seen.sent)
    estimators.check_ranks(optimizer)
    return {
        "hashes": hashes,
        "traffic": traffic,
        "called": called,
        "log": optimizer.log.state_dict(),
    }


def fail(name: str, mode: str, kind: str, culprit: int, rank: int) -> dict[str, Any]:
    """Have the closure of one rank fail in the second step; then make a third step."""
    model = Table(torch.float32)
    loss, state = batch_loss(model, rank if mode == "data" else 0), {"armed": False}

    def closure() -> Any:
        if state["armed"] and rank == culprit:
            state["armed"] = False
            if kind == "raise":
                raise OSError("no more data")
            return torch.tensor(float("nan")) if kind == "nan" else torch.ones(2)
        return loss()

    optimizer = build(name, model, lr=1e-2, seed=4)
    estimators.data_parallel(optimizer, mode)
    optimizer.step(closure)
    before = [p.detach().clone() for p in model.parameters()]
    state["armed"] = True
    try:
        optimizer.step(closure)
    except RuntimeError as error:
        message, cause = str(error), repr(error.__cause__)
    state["armed"] = False
    with torch.no_grad():
        moves = [(a - b).abs().max() for a, b in zip(before, model.parameters(), strict=True)]
    restored = digest(model)
    optimizer.step(closure)
    hashes = [restored, digest(model)]
    return {
        "message": message,
        "cause": cause,
        "moved": float(max(moves)),
        "hashes": hashes,
        "steps": optimizer.steps,
    }


def measure(name: str, mode: str, rank: int) -> dict[str, Any]:
    """Train with a measured rate; return the weights' hash, the rule and what it has sent."""
    model = Table()
    closure = batch_loss(model, rank if mode == "data" else 0)
    rule = estimators.StepSize(first=3, every=4)
    optimizer = build(name, model, lr=rule, seed=4, restore="copy")
    estimators.data_parallel(optimizer, mode)
    sent = set()
    for _ in range(20):
        with Traffic() as seen:
            optimizer.step(closure)
        sent |= {collective for collective, _ in seen.sent}
    estimators.check_ranks(optimizer)
    rates = [rates for _, rates, _ in optimizer.log.rates]
    return {"hash": digest(model), "rule": rule.state_dict(), "rates": rates, "sent": sent}


def disagree(what: str, rank: int) -> str:
    """Build optimisers that differ between the ranks; return the error."""
    model = Table()
    if what == "weights":
        with torch.no_grad():
            model.embed[0, 0] += rank
    seed = rank if what == "seed" else 0
    lr = 1e-2 * (1 + rank) if what == "rates" else 1e-2
    if what == "noise" and rank:
        break_noise()
    try:
        estimators.data_parallel(build("mezo", model, lr=lr, seed=seed))
    except RuntimeError as error:
        return str(error)
    finally:
        streams._checksum.cache_clear()
    return ""


def break_noise() -> None:
    """Have one bit of the noise wrong when its checksum is made."""
    write = philox.write

    def broken(sums: list[philox.Sum]) -> None:
        write(sums)
        sums[0].out.view(torch.int32)[7] ^= 1

    philox.write = broken
    streams._checksum.cache_clear()
    streams.fingerprint(torch.device("cpu"))
    philox.write = write


def train_with_trainer(rank: int, folder: Path) -> dict[str, Any]:
    """Train with the Trainer, which finds the ranks in the environment."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(RANKS)}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": "0"}  # read, not used: we have met
    run = ZerothOrderTrainer(
        tiny_llama(),
        arguments(folder / "trainer", max_steps=3, per_device_train_batch_size=2),
        recipe=partial(build, "tezo"),
        train_dataset=sentences(12),
    )
    kinds = {type(run.model)}
    run.model.register_forward_hook(lambda module, *_: kinds.add(type(run.model_wrapped)))
    run.train()
    return {
        "world": run.args.world_size,
        "kinds": [kind.__name__ for kind in kinds],
        "hash": digest(run.model),
        "losses": run.optimizer.optimizer.log.losses,
    }


TRAINED = [(name, mode, torch.float32, "inplace") for name in RECIPES for mode in MODES]
TRAINED += [(name, mode, torch.bfloat16, "inplace") for name in ("mezo", "tezo") for mode in MODES]
TRAINED += [(name, mode, torch.float32, "forward") for name in ("mezo", "tezo") for mode in MODES]
FAILED = [
    (name, mode, kind, culprit)
    for name in ("mezo", "svd0")
    for mode in MODES
    for kind, culprit in (("raise", 1), ("nan", 0), ("shape", 1))
]
MEASURED = [(name, mode) for name in ("mezo", "mezo_adam", "mezo_gv") for mode in MODES]
DISAGREE = ["noise", "seed", "weights", "rates"]


def work(rank: int, folder: Path) -> None:
    """Do everything as one rank and save what was found."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(minutes=2),
    )
    found = {("train", *case): train(*case[:2], rank, *case[2:]) for case in TRAINED}
    found |= {("fail", *case): fail(*case, rank) for case in FAILED}
    found |= {("measure", *case): measure(*case, rank) for case in MEASURED}
    found |= {("disagree", what): disagree(what, rank) for what in DISAGREE}
    found["trainer"] = train_with_trainer(rank, folder)
    torch.save(found, folder / f"rank{rank}")
    dist.destroy_process_group()


def start(function: Callable[[int, Path], None], folder: Path) -> None:
    """Run function(rank, folder) in a process a rank; what they import is imported once for all."""
    mp.get_context("forkserver").set_forkserver_preload([__name__])
    mp.start_processes(function, (folder,), nprocs=RANKS, start_method="forkserver")


def run(folder: Path) -> list[dict[tuple, Any]]:
    """Start the processes; return what each of them found."""
    start(work, folder)
    return [torch.load(folder / f"rank{rank}", weights_only=False) for rank in range(RANKS)]
