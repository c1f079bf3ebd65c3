"""Peak memory of a step over that of inference: the kernel's high-water mark, or CUDA's.

A process of its own for every contender:
`python -m benchmarks.memory NAME APPLY RANK BATCH LENGTH DEVICE` prints megabytes. On the CPU,
Linux only.
"""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.contenders import Contender, language_model, loss_of

_SELF = Path("/proc/self")


def peak(call: Callable[[], object], device: str) -> int:
    """Return the most memory, in bytes, that this process holds on a device while `call` runs."""
    gc.collect()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        call()
        return torch.cuda.max_memory_allocated()
    (_SELF / "clear_refs").write_text("5")  # forget the high-water mark
    call()
    found = re.search(r"VmHWM:\s+(\d+) kB", (_SELF / "status").read_text())
    return 1024 * int(found.group(1))


def over_inference(name: str, apply: str, rank: int, batch: int, length: int, device: str) -> str:
    """Measure in a new process; return megabytes, or "-" where the system does not tell."""
    arguments = [name, apply, *map(str, (rank, batch, length)), device]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", *arguments], capture_output=True, text=True
    )
    return ran.stdout.strip().split("\n")[-1] if ran.returncode == 0 else "-"


def main() -> None:
    """Print what the second step of a contender needs beyond inference, in megabytes."""
    name, apply, *numbers, device = sys.argv[1:]
    rank, batch, length = map(int, numbers)
    model = language_model()[1].to(device)
    closure = loss_of(model, batch, length)

    def inference() -> None:
        with torch.no_grad():
            closure()

    inference()
    alone = peak(inference, device)
    contender = Contender(name, apply, rank, model)
    contender.step(closure)
    print(round((peak(lambda: contender.step(closure), device) - alone) / 1e6))


if __name__ == "__main__":
    main()
