"""Random streams: every number is a function of (seed, step, query, parameter, entry).

Noise is regenerated, never stored. A stream is keyed by the 64-bit hash of its parts, and a number
of it by its index (`estimators.philox`): neither the order in which parameters are visited, nor
blocks, threads, ranks or the device can change what is drawn.
"""

from functools import cache
from hashlib import blake2b

import torch
from torch import Tensor

from estimators import philox

NOISE = 2  # the version of what is drawn from a key, kept in logs and states
BLOCK = 1 << 15  # at this size PyTorch's elementwise kernels stay on the calling thread
ACCELERATOR_BLOCK = 1 << 22  # kernel launches, and the temporaries of an update, set the size there


def stream_key(*parts: int | str) -> int:
    """Return the 64-bit key of a stream, a hash of `parts`."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def block_size(device: torch.device) -> int:
    """Return the number of entries that are worked on at a time on `device`."""
    return BLOCK if device.type == "cpu" else ACCELERATOR_BLOCK


class Stream:
    """The numbers of one key, on one device: see `estimators.philox`."""

    def __init__(self, device: torch.device, *parts: int | str) -> None:
        self.device = device
        self.key = stream_key(*parts)

    def normal(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return standard normal numbers, drawn in 32 bits and given in `dtype`."""
        return philox.normals(torch.empty(shape, dtype=dtype, device=self.device), self.key)


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which noise and updates of a `dtype` weight are computed."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def drawn_seed() -> int:
    """Draw a seed; the first number after `torch.manual_seed(s)` is s itself."""
    given = torch.initial_seed()
    fresh = torch.equal(
        torch.get_rng_state(), torch.Generator("cpu").manual_seed(given).get_state()
    )
    drawn = int(torch.empty((), dtype=torch.int64, device="cpu").random_())
    return given if fresh else drawn


def fingerprint(device: torch.device) -> str:
    """Return a checksum of some noise as it is made on `device`: equal noise, equal checksum."""
    return _checksum(torch.device("cpu") if device.type == "meta" else device)


@cache
def _checksum(device: torch.device) -> str:
    count, key, offset = 4099, stream_key("fingerprint"), (1 << 33) + 5
    wide = torch.empty(count, dtype=torch.float32, device=device)
    narrow = torch.empty(count, dtype=torch.bfloat16, device=device)
    base = torch.arange(count, dtype=torch.float32, device=device)
    philox.write(
        [
            philox.Sum(wide, base, [(0.5, key), (-3.0, key + 1)], offset=offset, scale=0.75),
            philox.Sum(narrow, base, [(0.25, key)], offset=offset, signs=True, rounding=key),
        ]
    )
    parts = wide.view(torch.int32), narrow.view(torch.int16)
    places = torch.arange(1, count + 1, dtype=torch.int64, device=device)
    return "-".join(f"{int((part * places).sum()) & (1 << 64) - 1:x}" for part in parts)
