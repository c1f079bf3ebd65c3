"""The numbers of the noise: Philox as published, test vectors, accuracy, what a call promises."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from estimators import philox
from estimators.philox import Sum, bits16, bits32, gram, normals, reference, signs, write
from estimators.philox.definition import BITS16, BITS32, NORMAL, SIGN

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
KEY = 0x0123456789ABCDEF


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # Random123's file of known answers, kat_vectors
        ([0] * 4, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            0x299F31D0A4093822,
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_published_answers(counter, key, words):
    found = reference.philox([torch.tensor([word]) for word in counter], key)
    assert " ".join(f"{int(word):08x}" for word in found) == words


VECTORS = [  # kind, offset, the first entries' bits, and a digest of 10,000 of them
    (NORMAL, 0, "3de16bee bf4b1bec 3c656510 bf63fd1a", "b8f8b8be955eb140"),
    (NORMAL, 2**38 + 5, "be6722aa 3f74519f bfc30c68 3d42e735", "16748d8607f96a5d"),
    (SIGN, 0, "3f800000 bf800000 bf800000 3f800000", "826f64b5b99ed574"),
    (SIGN, 2**38 + 5, "bf800000 bf800000 bf800000 bf800000", "a5093e2dcc9ebd2e"),
    (BITS16, 0, "077e 0fe1 199e 138e", "e07b695d71b3b5ba"),
    (BITS16, 2**38 + 5, "6f81 e226 d002 14ba", "21fed31a220fc489"),
    (BITS32, 0, "4f1c02a1 efd94150 9b5e271a f162c3ff", "0e050f2a6c4e22ff"),
    (BITS32, 2**38 + 5, "3486e811 d6302c35 43c681c2 fc453de3", "93c7ef501e6a03fd"),
]


def drawn(kind, offset, count, device=CPU):
    """Return the bits of entries of the stream of KEY."""
    if kind in (BITS16, BITS32):
        dtype, fill = (torch.int16, bits16) if kind == BITS16 else (torch.int32, bits32)
        return fill(torch.empty(count, dtype=dtype, device=device), KEY, offset).cpu()
    out = torch.empty(count, device=device)
    return (normals if kind == NORMAL else signs)(out, KEY, offset).cpu().view(torch.int32)


@pytest.mark.parametrize(("kind", "offset", "first", "digest"), VECTORS)
def test_vectors(kind, offset, first, digest):
    """Those of docs/noise.md: a change here is another noise, under which no old log replays."""
    bits = drawn(kind, offset, 10_000).numpy()
    width = 4 if kind == BITS16 else 8
    assert " ".join(f"{int(b) & (1 << 4 * width) - 1:0{width}x}" for b in bits[:4]) == first
    assert sha256(bits.astype(bits.dtype.newbyteorder("<")).tobytes()).hexdigest()[:16] == digest
    assert f"`{digest}`" in (ROOT / "docs" / "noise.md").read_text()


def test_normal_numbers_are_box_and_mullers_to_a_few_units_in_the_last_place():
    words = reference.words(KEY, NORMAL, 7, 5000, CPU)
    words[0] = torch.tensor([0, 2**32 - 1, 2**32 - 129, 1] * 16)  # the ends, too
    z = reference.normal_tiles(words).double().numpy().reshape(-1, 2, 2, 16)
    u, v = words.numpy().reshape(-1, 2, 2, 16).transpose(2, 0, 1, 3)
    s = ((v << 2) % 2**32 + 2**31) % 2**32 - 2**31
    angle = np.pi / 4 * s / 2**31

    def transformed(uniform):
        r = np.sqrt(-2 * np.log(uniform))[:, :, None]
        c, a = np.cos(angle) * np.where(v >> 30 & 1, -1, 1), np.sin(angle)
        return r, r * np.where((v >> 31 == 1)[:, :, None], np.stack((a, c), 2), np.stack((c, a), 2))

    narrow = (u.astype(np.float32) + np.float32(0.5)).astype(float) / 2**32
    r, exact = transformed(narrow)
    assert (np.abs(z - exact) <= 3.5e-7 * r).all()
    _, ideal = transformed((u + 0.5) / 2**32)
    assert np.abs(z - ideal).max() < 2.0**-12  # where U is next to 1
    assert np.abs(ideal).max() > 6.0  # the end of the tail has been looked at


@pytest.mark.parametrize("count", [1, 63, 200, 5000])
@pytest.mark.parametrize("fill", [normals, signs])
def test_a_number_depends_on_key_and_index_only(fill, count):
    whole = fill(torch.empty(9000), KEY)
    part = fill(torch.empty(count), KEY, 1234)
    assert torch.equal(part, whole[1234 : 1234 + count])
    turned = fill(torch.empty(20, 90).T, KEY)  # rows first, whatever the strides
    assert torch.equal(turned.flatten(), whole[:1800])
    assert torch.equal(fill(torch.empty(9000, dtype=torch.float64), KEY), whole.double())
    assert torch.equal(fill(torch.empty(9000, dtype=torch.bfloat16), KEY), whole.bfloat16())


def test_threads_change_nothing():
    kept = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            out = torch.ones(300_001)
            write([Sum(out, out, [(0.1, 5), (0.2, 6)])])
            found.append((out, gram([1, 2], 200_001, device=CPU)))
    finally:
        torch.set_num_threads(kept)
    for out, products in found[1:]:
        assert torch.equal(out, found[0][0])
        assert torch.equal(products, found[0][1])


def test_a_sum_is_what_it_says():
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(70, 130, generator=generator)
    out = torch.empty_like(base)
    write([Sum(out, base, [(0.5, 3), (-2.0, 4)], scale=0.9, threshold=1.0)])
    z = 0.5 * normals(torch.empty_like(base), 3) - 2.0 * normals(torch.empty_like(base), 4)
    expected = 0.9 * base + z * (base.abs() <= 1.0)
    torch.testing.assert_close(out, expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(out[base.abs() > 1.0], (0.9 * base)[base.abs() > 1.0])

    rows = torch.tensor([69, 0, 7, 7])
    looked_up = torch.empty(4, 130)
    write([Sum(looked_up, base[rows], [(0.5, 3), (-2.0, 4)], rows=rows, scale=0.9, threshold=1.0)])
    assert torch.equal(looked_up, out[rows])


def test_masks_at_random_have_their_share():
    out = torch.empty(1 << 18)
    write([Sum(out, None, [(1.0, 3)], sparse=(9, round(0.75 * 2**32)))])
    kept = out != 0
    assert torch.equal(out[kept], normals(torch.empty_like(out), 3)[kept])
    assert abs(float(kept.double().mean()) - 0.25) < 5 * (0.25 * 0.75 / len(out)) ** 0.5


def test_stochastic_rounding_keeps_the_mean_of_what_is_below_the_spacing():
    out = torch.ones(1 << 18, dtype=torch.bfloat16)
    write([Sum(out, torch.full((1 << 18,), 1.0 + 2**-10), [], rounding=KEY)])
    share = float((out.double() - 1).mean() / 2**-7)  # the spacing above 1
    assert abs(share - 1 / 8) < 5 * (1 / 8 * 7 / 8 / len(out)) ** 0.5
    before = torch.randn(1000).bfloat16()
    after = before.clone()
    write([Sum(after, after, [], rounding=KEY)])
    assert torch.equal(after, before)


def test_gram_is_the_streams_products():
    keys = [1, 2, KEY]
    z = torch.stack([normals(torch.empty(100_000), key, 77) for key in keys]).double()
    torch.testing.assert_close(gram(keys, 100_000, 77, device=CPU), z @ z.T, rtol=1e-12, atol=1e-9)
    s = torch.stack([signs(torch.empty(100_000), key) for key in keys]).double()
    assert torch.equal(gram(keys, 100_000, device=CPU, signs=True), s @ s.T)


def test_autograd_is_told_of_the_write():
    weight = torch.ones(3, requires_grad=True)
    product = (weight * weight).sum()
    write([Sum(weight.detach(), weight.detach(), [(1.0, 3)])])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


def test_on_the_meta_device_there_are_shapes_only():
    out = torch.empty(3, 4, device="meta")
    assert normals(out, KEY) is out
    write([Sum(out, out, [(1.0, 3)])])
    assert gram([1, 2], 10**12, device=out.device).shape == (2, 2)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"out": torch.empty(3, dtype=torch.int32)}, "out must be one of"),
        ({"base": torch.empty(4)}, "must have out's shape and device"),
        ({"base": torch.empty(3, dtype=torch.float64)}, "does not go with"),
        ({"factor": torch.empty(3, dtype=torch.bfloat16)}, "must be torch.float32"),
        ({"mask": torch.empty(3)}, "must be boolean"),
        ({"threshold": 1.0}, "needs base"),
        ({"rows": torch.tensor([0])}, "rows must be int64"),
        ({"offset": -1}, r"must lie in \[0, 2\^62\)"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(given, what):
    fine = Sum(torch.zeros(5), None, [(1.0, 3)])
    with pytest.raises(ValueError, match=what):
        write([fine, Sum(**{"out": torch.empty(3), "base": None, **given})])
    assert not fine.out.any()


HIDING = """
import sys
sys.modules["numba"] = None  # importing it fails
import torch
from estimators import philox
assert philox.implementation("cpu") is philox.reference
out = torch.ones(1000)
philox.write([philox.Sum(out, out, [(0.1, 5), (0.2, 6)], signs=True, offset=99)])
philox.normals(out[500:], 7)
print(out.numpy().tobytes().hex())
"""


def test_where_numba_is_missing_the_reference_serves_the_same_numbers():
    assert philox.implementation("cpu") is not reference
    out = torch.ones(1000)
    write([Sum(out, out, [(0.1, 5), (0.2, 6)], signs=True, offset=99)])
    normals(out[500:], 7)
    found = subprocess.run(
        [sys.executable, "-c", HIDING], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert bytes.fromhex(found.stdout) == out.numpy().tobytes()


def test_importing_the_estimators_compiles_nothing():
    code = """
import sys, torch
before = set(sys.modules)
import estimators, estimators.philox
print({"numba", "triton"} & set(sys.modules) - before)
"""
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"
