"""Peak memory: of the GPU's allocator, or of the whole process on a CPU."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

_SELF = Path("/proc/self")


def restart_peak(device: torch.device) -> None:
    """Forget the peak so far, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    # Where this is not Linux, or not allowed, the peak is that of the process's whole life.
    with suppress(OSError):
        (_SELF / "clear_refs").write_text("5")


def peak_bytes(device: torch.device) -> int:
    """The largest number of bytes in use since `restart_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", (_SELF / "status").read_text())
        return 1024 * int(found.group(1))
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
