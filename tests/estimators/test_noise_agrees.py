"""Every implementation of the noise equals the reference bit for bit."""

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from estimators.philox import Sum, reference
from estimators.philox.definition import BITS16, BITS32, NORMAL, SIGN

ROOT = Path(__file__).parents[2]
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
NARROW = torch.float32, torch.bfloat16, torch.float16
FLOATS = *NARROW, torch.float64
KEYS = st.integers(0, 2**64 - 1)
# From the start, within a tile, across the counter's first word (2^32 counters), to the end.
OFFSETS = st.one_of(
    st.just(0), st.integers(0, 5000), st.integers(2**34 - 3000, 2**34), st.integers(0, 2**61)
)


def without_triton():
    return importlib.util.find_spec("triton") is None


class Compiled:
    device = "cpu"
    name = "compiled"
    most = 5000
    examples = 40


class Gpu(Compiled):
    name = "gpu"
    most = 2500
    examples = 6 if INTERPRETED else 40
    device = "cpu" if INTERPRETED else "cuda"


@pytest.fixture(
    params=[
        pytest.param(Compiled, id="compiled"),
        pytest.param(
            Gpu,
            id="gpu",
            marks=pytest.mark.skipif(
                without_triton() or not (INTERPRETED or torch.cuda.is_available()),
                reason="needs Triton, and a CUDA device or Triton's interpreter",
            ),
        ),
    ]
)
def tested(request):
    return request.param


def cases(tested):
    return settings(max_examples=tested.examples, deadline=None, derandomize=True, database=None)


def assert_same_bits(found, expected):
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[expected.element_size()]
    found = found.cpu()
    if expected.is_floating_point():  # one NaN is as good as another
        assert torch.equal(found.isnan(), expected.isnan())
        found, expected = found.nan_to_num(7.0), expected.nan_to_num(7.0)
    different = (found.view(integers) != expected.view(integers)).nonzero()
    assert not len(different), (different[:3], found[found != expected][:3])


def test_streams(tested):
    module = import_module(f"estimators.philox.{tested.name}")

    @cases(tested)
    @given(st.data(), KEYS, OFFSETS, st.integers(1, tested.most))
    def agrees(data, key, offset, count):
        kind = data.draw(st.sampled_from([NORMAL, SIGN, BITS16, BITS32]))
        of = {BITS16: (torch.int16,), BITS32: (torch.int32,)}.get(kind, FLOATS)
        expected = torch.empty(count, dtype=data.draw(st.sampled_from(of)))
        found = torch.empty_like(expected, device=tested.device)
        reference.fill(expected, kind, key, offset)
        module.fill(found, kind, key, offset)
        assert_same_bits(found, expected)

    agrees()


@st.composite
def sums(draw, most):
    """A sum on the CPU, of which any part may be missing."""
    dtype = draw(st.sampled_from(FLOATS))
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    shape, rows = (draw(st.integers(1, most)),), None
    if draw(st.booleans()):
        rows = torch.tensor(draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=4)))
        shape = len(rows), draw(st.integers(1, most // 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    size = 10.0 ** draw(st.integers(-8, 5))

    def random(of):
        return torch.randn(shape, generator=generator, dtype=torch.float64).mul(size).to(of)

    def maybe(value):
        return value() if draw(st.booleans()) else None

    of = dtype if dtype == wide == torch.float64 else draw(st.sampled_from(NARROW))
    base = maybe(lambda: random(of))
    if base is not None and draw(st.integers(0, 9)) == 0:
        base.view(-1)[0] = float("inf")
    offset, sparse_key = draw(OFFSETS), draw(KEYS)
    word = reference.entries(BITS32, sparse_key, offset, offset + 1, torch.device("cpu"))
    level = draw(st.sampled_from([0, 1 << 31, 1 << 32, int(word), int(word) + 1]))
    in_place = base is not None and base.dtype == dtype and draw(st.booleans())
    weights = st.floats(-10.0 * size, 10.0 * size)
    return Sum(
        base if in_place else torch.empty(shape, dtype=dtype),
        base,
        draw(st.lists(st.tuples(weights, KEYS), max_size=5)),
        offset=offset,
        scale=draw(st.sampled_from([1.0, 0.0, 0.7, -1 / 3])),
        signs=draw(st.booleans()),
        rounding=maybe(lambda: draw(KEYS)),
        dense=maybe(lambda: (draw(st.floats(-2.0, 2.0)), random(wide))),
        factor=maybe(lambda: random(wide)),
        mask=maybe(lambda: random(wide) > 0),
        threshold=None if base is None else maybe(lambda: 0.7 * size),
        sparse=maybe(lambda: (sparse_key, level)),
        rows=rows,
    )


def moved(one, device):
    """Return a copy of a sum on `device`."""
    base = None if one.base is None else one.base.to(device, copy=True)
    out = base if one.out is one.base else one.out.to(device, copy=True)
    dense = one.dense and (one.dense[0], one.dense[1].to(device))
    factor, mask, rows = (
        tensor if tensor is None else tensor.to(device)
        for tensor in (one.factor, one.mask, one.rows)
    )
    given = {"dense": dense, "factor": factor, "mask": mask, "rows": rows}
    return replace(one, out=out, base=base, **given)


def test_sums(tested):
    module = import_module(f"estimators.philox.{tested.name}")

    @cases(tested)
    @given(st.lists(sums(tested.most), min_size=1, max_size=3))
    def agrees(given):
        found = [moved(one, tested.device) for one in given]
        for one in given:
            one.check()
        reference.write(given, [set() for _ in given])
        module.write(found, [set() for _ in found])
        for one, other in zip(given, found, strict=True):
            assert_same_bits(other.out, one.out)

    agrees()


def test_rows_looked_up_by_numbers_that_lie_apart(tested):
    """For several tensors at once: copies of the numbers are held until they have been read."""
    numbers = torch.arange(64).view(2, 32).T.contiguous().T
    found, expected = (
        [Sum(torch.empty(32, 50), None, [(1.0, 7)], rows=rows) for rows in (*numbers,) * 4]
        for _ in range(2)
    )
    found = [moved(one, tested.device) for one in found]
    assert not found[0].rows.is_contiguous()
    reference.write(expected, [set() for _ in expected])
    import_module(f"estimators.philox.{tested.name}").write(found, [set() for _ in found])
    for one, other in zip(expected, found, strict=True):
        assert_same_bits(other.out, one.out)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_to_sixteen_bits_at_every_size(tested, dtype):
    """Every exponent of float32, the ties and the largest of each; also what rounds to infinity."""
    module = import_module(f"estimators.philox.{tested.name}")
    low = torch.tensor([0, 1, 0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x7FFF, 0x8000, 0x8001])
    low = torch.cat((low, 0x18000 + low, 0x7FFFFF - low))
    exponent = torch.arange(0, 255 << 23, 1 << 23).unsqueeze(1)
    sizes = (exponent + low).flatten().to(torch.int32).view(torch.float32)
    base = torch.cat((sizes, -sizes, torch.tensor([float("inf"), float("-inf"), float("nan")])))
    for rounding in (None, 5, 6):
        expected = Sum(torch.empty(len(base), dtype=dtype), base, rounding=rounding)
        found = moved(expected, tested.device)
        reference.write([expected], [set()])
        module.write([found], [set()])
        assert_same_bits(found.out, expected.out)
        if rounding is None:
            assert_same_bits(found.out, base.to(dtype))


def test_gram(tested):
    module = import_module(f"estimators.philox.{tested.name}")

    @settings(cases(tested), max_examples=1 if INTERPRETED else 10)
    @given(
        st.lists(KEYS, min_size=1, max_size=3),
        st.sampled_from([1, 300, 33_000]),
        OFFSETS,
        st.sampled_from([NORMAL, SIGN]),
    )
    def agrees(keys, count, offset, kind):
        device = torch.device(tested.device)
        found = module.gram(keys, count, offset, kind, device)
        assert_same_bits(found, reference.gram(keys, count, offset, kind, torch.device("cpu")))

    agrees()


@pytest.mark.skipif(without_triton(), reason="needs Triton (`pip install zotheory[gpu]`)")
@pytest.mark.skipif(INTERPRETED, reason="is what runs this")
def test_the_kernels_for_gpus_agree_by_tritons_interpreter():
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--numprocesses", "0", "-k", "gpu", __file__],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout
    assert "6 passed" in found.stdout


PTX = """
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from estimators.philox.gpu import _fill

names = {"out": "*fp32", "key": "*i64", "offset": "i64", "count": "i32"}
given = {"kind": 0, "form": 0, "wide": tl.float32}
source = ASTSource(
    fn=_fill,
    signature={**names, **dict.fromkeys(given, "constexpr")},
    constexprs={(_fill.arg_names.index(name),): value for name, value in given.items()},
)
options = {"enable_fp_fusion": False}
print(compile(source, target=GPUTarget("cuda", 80, 32), options=options).asm["ptx"])
"""


@pytest.mark.skipif(without_triton(), reason="needs Triton (`pip install zotheory[gpu]`)")
def test_what_is_compiled_for_cuda_rounds_every_operation():
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    ptx = subprocess.run(
        [sys.executable, "-c", PTX], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ptx.returncode == 0, ptx.stderr
    assert not re.search(r"fma\.\w+\.f|sqrt\.approx|mul(\.rn)?\.ftz|add(\.rn)?\.ftz", ptx.stdout)
    assert "sqrt.rn.f32" in ptx.stdout
