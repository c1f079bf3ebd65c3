"""Does a step see its noise where each process holds a part of the weights?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cloudpickle

from zotheory.checking.registry import check
from zotheory.checking.result import Failed, NotApplicable, Passed
from zotheory.checking.subject import Subject, raised

STEPS = 20
PATIENCE = 120  # seconds for two processes that import PyTorch and make steps on a small model

_RANK = """
import json, sys, warnings
sys.path += [path for path in json.loads(sys.argv[3]) if path not in sys.path]
import cloudpickle, torch
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel
folder, rank = sys.argv[1], int(sys.argv[2])
subject, steps = cloudpickle.load(open(f"{folder}/what.pkl", "rb"))
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
scene = subject.scene()
torch.manual_seed(0)
slopes = {n: torch.randn(p.shape, dtype=p.dtype) for n, p in scene.parameters.items()}
cpu = torch.device("cpu")
model = FullyShardedDataParallel(scene.model, use_orig_params=True, device_id=cpu)
def loss(*_, **__):
    with torch.no_grad():
        seen = model()
    found = sum((slopes[name] * seen[name]).sum() for name in slopes)
    losses[-1].append(float(found))
    return found
losses, told = [[]], []
loss()
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    try:
        scene.model = model
        made = subject.build(scene)
        for _ in range(steps):
            losses.append([])
            made.step(loss)
    except Exception as error:
        told.append(str(error))
losses.append([])
if not told:
    loss()
told += [str(one.message) for one in said if "/torch/distributed/" not in one.filename]
json.dump([losses, told], open(f"{folder}/{rank}.json", "w"))
"""


@check(
    "surroundings",
    "Where weights are sharded (FSDP), noise written into what a process holds may never reach the"
    " losses: a run without a word learns nothing.",
)
def sharded_weights_are_trained_or_refused(subject: Subject) -> Passed:
    if not subject.is_toy:
        raise NotApplicable("tried on the small model only")
    with tempfile.TemporaryDirectory() as folder:
        try:
            what = cloudpickle.dumps((subject, STEPS))
        except Exception as error:
            raise NotApplicable(
                f"the factory cannot be sent to a process: {raised(error)}"
            ) from error
        Path(folder, "what.pkl").write_bytes(what)
        ranks = [_start(folder, rank) for rank in range(2)]
        try:
            for rank in ranks:
                _, told = rank.communicate(timeout=PATIENCE)
                if rank.returncode:
                    last = told.strip().splitlines()[-1:] or ["no message"]
                    raise NotApplicable(f"two processes do not work here: {last[0]}"[:200])
        except subprocess.TimeoutExpired:
            raise Failed(f"two ranks with FSDP do not end within {PATIENCE} s") from None
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
        found = [json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(2)]
    for _, told in found:
        if told:
            return Passed(f"told: {told[0]}"[:200])
    for number, ((start, *losses, end), _) in enumerate(found):
        blind = sum(len(set(step)) == 1 for step in losses)
        if blind == STEPS:
            raise Failed(f"with FSDP, rank {number}: in none of {STEPS} steps do two losses differ")
        if start == end:
            raise Failed(f"with FSDP, rank {number}: {STEPS} steps do not change the loss")
    return Passed(f"with FSDP on two ranks, losses see the noise, and {STEPS} steps move them")


def _start(folder: str, rank: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _RANK, folder, str(rank), json.dumps(sys.path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
