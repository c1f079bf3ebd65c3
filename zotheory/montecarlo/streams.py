"""Random streams that depend on what they are for, never on who draws them or when."""

import json
from hashlib import blake2b

import numpy as np


def stream(root_seed: int, claim: str, shard: int) -> np.random.Generator:
    """The generator of one shard of one claim.

    Philox-4x64-10, a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as
    easy as 1, 2, 3"), with the counter at 0 and the 128-bit key

        BLAKE2b-128(JSON [root_seed, claim, shard]).

    Streams of different (root_seed, claim, shard) are independent for every practical purpose
    (a key collision has probability 2^-128 per pair); the same triple gives the same words on
    every platform.

    Raises ValueError when `root_seed` or `shard` is not an integer >= 0.
    """
    for label, number in (("seed", root_seed), ("shard", shard)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
            raise ValueError(f"{label} must be an integer >= 0, got {number!r}")
    address = json.dumps([int(root_seed), claim, int(shard)]).encode()
    key = np.frombuffer(blake2b(address, digest_size=16).digest(), dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))
