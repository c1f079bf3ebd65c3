"""Interrupts while weights or state are half written: held back until they are whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import torch

from estimators.threads import parallel

_SIGNALS = tuple(sorted(signal.valid_signals()))
_active = threading.local()
T = TypeVar("T")


class Shield:
    """Holds signals back during a step, but for the time of its closure.

    A handler of Python (KeyboardInterrupt's, one that raises at SIGALRM or SIGTERM) may raise
    between any two instructions of the main thread. For a step, every such handler is wrapped:
    while the shield is up, what arrives is kept, and delivered when the shield is lowered or left.
    An error that `hold` was given is delivered in the same way.
    """

    def __init__(self) -> None:
        self.up = True
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._pending: list[tuple[int, FrameType | None]] = []
        self._held: list[BaseException] = []
        self._outer: Shield | None = None

    def __enter__(self) -> Shield:
        try:
            if threading.current_thread() is threading.main_thread():  # only it runs handlers
                for number in _SIGNALS:
                    handler = signal.getsignal(number)
                    if callable(handler):
                        self._handlers[number] = handler
                        signal.signal(number, self._receive)
        except BaseException:
            self._uninstall()
            raise
        self._outer, _active.shield = getattr(_active, "shield", None), self
        return self

    def __exit__(self, *_: object) -> None:
        _active.shield = self._outer
        try:
            self._uninstall()
        finally:
            self.up = False  # a handler that is left in place passes on what it receives
        self._deliver()

    # Not context managers: an interrupt on the way into their `__exit__` would leave them out. The
    # first statement of `finally` is reached whatever happens.

    def lowered(self, call: Callable[[], T]) -> T:
        """Return what `call` returns, with signals let through, those first that have arrived."""
        try:
            self.up = False
            self._deliver()
            return call()
        finally:
            self.up = True

    def raised(self, call: Callable[[], T]) -> T:
        """Return what `call` returns, with signals held back in a time of letting them through."""
        try:
            self.up = True
            found = call()
        finally:
            self.up = False
        self._deliver()
        return found

    def hold(self, error: BaseException) -> None:
        """Keep an error for the moment at which the shield is next lowered or left."""
        self._held.append(error)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.up:
            self._pending.append((number, frame))
        else:
            self._handlers[number](number, frame)

    def _deliver(self) -> None:
        try:
            while self._pending:
                number, frame = self._pending.pop(0)
                self._handlers[number](number, frame)
        finally:
            if self._held:
                error, self._held = self._held[0], []
                raise error

    def _uninstall(self) -> None:
        """Put the handlers back; one may raise as soon as it is there again."""
        error = None
        for number, handler in self._handlers.items():
            try:
                if signal.getsignal(number) == self._receive:  # else the closure has put another
                    signal.signal(number, handler)
            except BaseException as raised:
                error = raised
        if error is not None:
            raise error


def write_all(task: Callable[[int], None], count: int, device: torch.device, entries: int) -> None:
    """Run `task(0)`, ..., `task(count - 1)` in parallel, every one even if some of them raise.

    A task writes nothing before all that can fail in it is done. Those that raise are run a
    second time; if they succeed, all is written, and the first error is raised at once, or held
    by the shield of a step until its weights are whole. If one fails again, that is raised.
    """
    failed: list[tuple[int, BaseException]] = []

    def attempt(index: int) -> None:
        try:
            task(index)
        except BaseException as error:
            failed.append((index, error))

    parallel(attempt, count, device, entries)
    if not failed:
        return
    with torch.no_grad():
        for index, _ in failed:
            task(index)
    error = failed[0][1]
    shield = getattr(_active, "shield", None)
    if shield is None:
        raise error
    shield.hold(error)
