"""What PyTorch is set to around a step: the closure gets it, nothing of ours depends on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

_EXACT = {"none", "ieee", "highest"}


class Surroundings:
    """Autocast, inference mode and the precision of products as they are where a step is called.

    The first two are off while noise is made and weights are written, and 32-bit matrices are
    multiplied in 32 bits (`exact_products`): autocast would round factors, and what is written in
    inference mode could not be written outside of it. The closure runs with all three as they
    were. Autocast keeps its casts of the weights while a context is open, so they are forgotten
    whenever the weights have moved.
    """

    def __init__(self, devices: Iterable[str]) -> None:
        self._cast = [d for d in {"cpu", *devices} - {"meta"} if torch.is_autocast_enabled(d)]
        self._inference = torch.is_inference_mode_enabled()

    @contextmanager
    def left(self) -> Iterator[None]:
        """Leave them for the time of a step."""
        with torch.inference_mode(False) if self._inference else nullcontext(), torch.no_grad():
            self._set(False)
            try:
                yield
            finally:
                torch.clear_autocast_cache()
                self._set(True)

    def call(self, closure: Callable[[], Any]) -> Any:
        """Return what the closure returns in them."""
        torch.clear_autocast_cache()
        self._set(True)
        try:
            with torch.inference_mode() if self._inference else nullcontext():
                return closure()
        finally:
            self._set(False)

    def _set(self, enabled: bool) -> None:
        for device in self._cast:
            torch.set_autocast_enabled(device, enabled)
        _need_exact(not enabled)


def exact_products() -> AbstractContextManager:
    """Multiply 32-bit matrices in 32 bits, whatever `torch.set_float32_matmul_precision` says.

    TF32 and bfloat16, which "high" and "medium" allow, keep 11 and 8 bits of the factors of
    low-rank noise, differently on every device. Within a step's closure.
    """
    return _Exact() if _users else nullcontext()


class _Exact:
    def __enter__(self) -> None:
        self.entered = threading.get_ident() not in _exact_for
        if self.entered:
            _need_exact(True)

    def __exit__(self, *_: object) -> None:
        if self.entered:
            _need_exact(False)


# The precision is one for all threads: it is exact for as long as one of them needs it so.
_lock = threading.Lock()
_exact_for: set[int] = set()
_users: list[tuple[str, ...]] = []  # what it is otherwise, if that is another


def _need_exact(needed: bool) -> None:
    """Say whether this thread needs products in 32 bits now."""
    thread = threading.get_ident()
    with _lock:
        if needed:
            if not _exact_for:
                found = _coarse_products()
                _users[:] = [] if found is None else [found]
                if _users:
                    _set_products(None)
            _exact_for.add(thread)
        else:
            _exact_for.discard(thread)
            if not _exact_for and _users:
                _set_products(_users[0])


def _coarse_products() -> tuple[str, ...] | None:
    """Return the precision of 32-bit products (cuBLAS, oneDNN), None if it is that of 32 bits."""
    found = tuple(backend.fp32_precision for backend in _product_backends())
    found = found or (torch.get_float32_matmul_precision(),)
    return None if _EXACT.issuperset(found) else found


def _set_products(precision: Sequence[str] | None) -> None:
    """Set the precision of 32-bit products; None is that of 32 bits."""
    backends = _product_backends()
    if not backends:
        torch.set_float32_matmul_precision("highest" if precision is None else precision[0])
    for backend, wanted in zip(backends, precision or ["ieee"] * len(backends), strict=True):
        backend.fp32_precision = "none"  # which goes by what is set for all backends
        if backend.fp32_precision != wanted:
            backend.fp32_precision = wanted


def _product_backends() -> list[Any]:
    """Return what has a precision of products of its own: nothing before PyTorch 2.9."""
    mkldnn = getattr(torch.backends.mkldnn, "matmul", None)
    return [] if mkldnn is None else [torch.backends.cuda.matmul, mkldnn]
