import subprocess
import sys

import numpy as np
import pytest

from zotheory.montecarlo import stream

WORDS = [1607275510132706620, 7704913173578376665, 16911834823756812770]


def test_words_are_those_of_the_first_release():
    words = stream(0, "tezo.thm1.mean", 3).bit_generator.random_raw(3)
    assert words.tolist() == WORDS


def test_another_process_with_another_hash_seed_draws_the_same():
    code = (
        "from zotheory.montecarlo import stream;"
        "print(stream(0, 'tezo.thm1.mean', 3).bit_generator.random_raw(3).tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path)},
    )
    assert run.stdout.strip() == str(WORDS)


def test_streams_differ_in_every_part_of_the_key():
    keys = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (10, "a", 0), (1, "a", 10)]
    words = {stream(*key).bit_generator.random_raw() for key in keys}
    assert len(words) == len(keys)


def test_streams_are_uncorrelated():
    x = np.stack([stream(0, "a", shard).standard_normal(20_000) for shard in range(12)])
    correlation = np.corrcoef(x)[np.triu_indices(12, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(20_000)


@pytest.mark.parametrize(("seed", "shard"), [(-1, 0), (0, -1), (0.5, 0), (True, 0), ("1", 0)])
def test_bad_keys(seed, shard):
    with pytest.raises(ValueError, match="integer >= 0"):
        stream(seed, "a", shard)
