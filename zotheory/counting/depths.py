"""Counts on deep models from shallow ones with the same layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def at_depth(
    count: Callable[[int], Sequence[int]], depth: int, shallow: tuple[int, int, int] = (1, 2, 3)
) -> tuple[int, ...]:
    """What `count` would give for a model of `depth` layers, from three shallow ones.

    Layers of a transformer have equal shapes, and a step writes one tensor after the other: each
    further layer adds the same number to what is held and nothing to the temporaries. That the
    three counts lie on a line is checked, for every number; if they do not, ArithmeticError. A
    peak, a largest value of such lines, could still turn upwards deeper down: the tests count some
    of them at all layers.
    """
    first, second, third = (tuple(count(layers)) for layers in shallow)
    a, b, c = shallow
    line = []
    for x, y, z in zip(first, second, third, strict=True):
        if (y - x) * (c - b) != (z - y) * (b - a):
            raise ArithmeticError(f"the counts {x}, {y}, {z} at depths {shallow} are on no line")
        line.append(x + (y - x) // (b - a) * (depth - a))
    return tuple(line)
