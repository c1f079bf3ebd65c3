"""Two processes: `torchrun --nproc-per-node 2 examples/train_data_parallel.py`."""

import torch
import torch.distributed as dist
from torch import nn

import estimators

dist.init_process_group("gloo")  # "nccl" where each process has a GPU
rank, ranks = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)  # all ranks start from the same weights
x = torch.randn(256, 2)
y = (x.square().sum(1) > 1.4).long()
mine = slice(rank, None, ranks)  # each has data of its own
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))

# One seed, so that all ranks draw the same noise: what they exchange is eight bytes a loss.
optimizer = estimators.q_spsa(model, lr=0.3, queries=4, seed=0)
estimators.data_parallel(optimizer)
for step in range(101):
    loss = optimizer.step(lambda: nn.functional.cross_entropy(model(x[mine]), y[mine]))
    if rank == 0 and step % 20 == 0:
        print(f"step {step:3d}  loss {loss:.3f}")
estimators.check_ranks(optimizer)  # raises unless all hold the same weights, bit for bit
dist.destroy_process_group()
