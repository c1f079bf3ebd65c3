"""Random streams: every number is a function of (seed, step, query, parameter, block).

Noise is regenerated, never stored. A stream is keyed by the 64-bit hash of its parts, so the
order in which parameters are visited, the number of threads and the number of ranks cannot
change what is drawn. Entries are drawn in blocks of at most `BLOCK` numbers, each from its own
generator: blocks can be drawn in parallel, or one at a time, or only where they are needed.
"""

from hashlib import blake2b

import torch
from torch import Tensor

from estimators.threads import parallel

NOISE = 1  # the version of what is drawn from a key, kept in logs and states
BLOCK = 1 << 15  # at this size PyTorch's elementwise kernels stay on the calling thread
ACCELERATOR_BLOCK = 1 << 24  # kernel launches, not caches, set the size there

_MASK32 = 0xFFFFFFFF
# Bytes of a CPU generator's state that hold the 624 words of its Mersenne Twister.
_WORDS = slice(24, 24 + 8 * 624)


def stream_key(*parts: int | str) -> int:
    """Return the 64-bit key of a stream, a hash of `parts`."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def block_size(device: torch.device) -> int:
    """Return the number of entries drawn from one generator on `device`."""
    return BLOCK if device.type == "cpu" else ACCELERATOR_BLOCK


class Stream:
    """A family of generators, one per block, keyed by 64 bits.

    PyTorch's CPU generator keeps 32 bits of its seed. Two runs of a long experiment would then
    meet the same noise by the birthday bound, so the state is the XOR of two seeded states: 64
    bits, of which a swap of the halves costs one (keys are hashes, never swapped on purpose).
    """

    def __init__(self, device: torch.device, *parts: int | str) -> None:
        self.device = device
        self.key = stream_key(*parts)

    def generator(self, block: int = 0) -> torch.Generator | None:
        """Return the generator of `block`, or None on the meta device, which draws nothing."""
        if self.device.type == "meta":
            return None
        key = stream_key(self.key, block)
        generator = torch.Generator(self.device)
        if self.device.type != "cpu":
            return generator.manual_seed(key)
        high, low = key >> 32, key & _MASK32
        if high == low:  # the XOR would be the zero state, which the twister never leaves
            low ^= 1
        generator.manual_seed(high)
        words = generator.get_state()[_WORDS].view(torch.int64)
        generator.manual_seed(low)
        state = generator.get_state()
        state[_WORDS].view(torch.int64).bitwise_xor_(words)
        generator.set_state(state)
        return generator

    def normal(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return standard normal numbers, drawn in at least 32 bits and rounded to `dtype`."""
        out = torch.empty(shape, dtype=compute_dtype(dtype), device=self.device)
        if out.numel() <= block_size(self.device):
            return out.normal_(generator=self.generator()).to(dtype)
        blocks = out.view(-1).split(block_size(self.device))

        def fill(block: int) -> None:
            blocks[block].normal_(generator=self.generator(block))

        parallel(fill, len(blocks), self.device, out.numel())
        return out.to(dtype)


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
