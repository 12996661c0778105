"""Hidden tests of beyond_1_cost: operations, the share of a processor's peak, eight bits."""

import numpy as np

from covidlab.exercises.checking import Function
from tools.grade_points import Part, Worth


def gflop(layers, size):
    return _operations(layers, size) / 1e9


def of_peak(gflop, seconds, cores, gigahertz, per_cycle):
    return gflop / seconds / (cores * gigahertz * per_cycle)


def eight_bits(weights):
    return _restored(weights, np.abs(weights).max((0, 1, 2), keepdims=True))


def _operations(layers, size, places=lambda before, after: after):
    total = 0
    for kernel, inputs, outputs, stride in layers:
        after = -(-size // stride)
        total += 2 * kernel * kernel * inputs * outputs * places(size, after) ** 2
        size = after
    return total


def _restored(weights, largest, steps=127, whole=np.round):
    step = np.where(largest > 0, largest, 1) / steps
    return whole(weights / step) * step


def parts(random):
    nets = [([[3, 1, 8, 1], [3, 8, 16, 2], [3, 16, 32, 2], [1, 32, 1, 1]], 128), ([[5, 3, 7, 2], [3, 7, 9, 1]], 101),
            ([[int(k), 4, int(m), 3] for k, m in random.integers(2, 8, (3, 2))], 200)]  # fmt: skip
    times = [(float(work), seconds, cores, 2.5, 16)
             for work, seconds, cores in zip(random.uniform(1, 9, 3), (0.2, 1.1, 0.05), (2, 4, 8))]  # fmt: skip
    kernels = [random.normal(size=(3, 3, 4, 6)) * np.geomspace(0.05, 3, 6) for _ in range(2)]
    silent = kernels[0].copy()
    silent[..., 2] = 0
    return (
        Part("gflop", 4, Function(
            asked="(layers, size) -> GFLOP of convolutions, [kernel, maps in, maps out, stride], on a square picture, "
                  "padded so that a stride of s leaves size / s places a side, rounded up; a multiply-add is two.",
            right=gflop, inputs=nets, praise="", tolerance=1e-7,
            otherwise="it gives {found:g} for {right:g} at size {1}.",
            edges={"without any layer": ([], 64)},
            mistakes={
                "a multiplication and an addition are two operations.": Worth(3, lambda n, s: gflop(n, s) / 2),
                "these are operations: a GFLOP is 10^9 of them.": Worth(3, _operations),
                "a layer with a stride works only where its new numbers stand.":
                    Worth(2, lambda n, s: _operations(n, s, lambda before, after: before) / 1e9),
                "the stride of a layer makes the picture smaller for those after it.":
                    Worth(2, lambda n, s: sum(gflop([one], s) for one in n)),
                "a picture has places in rows and in columns.":
                    lambda n, s: _operations(n, s, lambda before, after: after**0.5) / 1e9,
                "a kernel of 3 x 3 has nine weights.":
                    lambda n, s: sum(a / k for a, (k, *_) in zip(_each(n, s), n)) / 1e9,
                "sizes are rounded up, not down.":
                    Worth(3, lambda n, s: _down(n, s) / 1e9),
            })),
        Part("of_peak", 3, Function(
            asked="(gflop, seconds, cores, gigahertz, per_cycle) -> the fraction of the processor's peak that is used.",
            right=of_peak, inputs=times, praise="", otherwise="it gives {found:g} for {right:g}.",
            mistakes={
                "that is the other way round: used over possible.": Worth(2, lambda *given: 1 / of_peak(*given)),
                "that is one core's peak, and the processor has several.":
                    Worth(2, lambda g, s, c, h, p: of_peak(g, s, 1, h, p)),
                "operations in a second are asked: divide by the seconds.":
                    lambda g, s, c, h, p: of_peak(g, 1, c, h, p),
                "that multiplies by the seconds: operations in a second are asked.":
                    lambda g, s, c, h, p: of_peak(g, 1 / s, c, h, p),
                "these are per cent, and a fraction is asked.": Worth(2, lambda *given: 100 * of_peak(*given)),
                "a core does several operations a cycle.": Worth(1, lambda g, s, c, h, p: of_peak(g, s, c, h, 1)),
            })),
        Part("eight_bits", 3, Function(
            asked="(weights) of rows, columns, maps in, maps out -> what is left of them after 8 bits: whole numbers "
                  "from -127 to 127 times one step for each map out, chosen so that its largest weight is 127 steps.",
            right=eight_bits, inputs=[(one,) for one in kernels], praise="", otherwise="other weights are expected.",
            tolerance=1e-7, edges={"for a map whose weights are all 0": (silent,)},
            mistakes={
                "one step serves all maps, and each map out has its own.":
                    Worth(2, lambda w: _restored(w, np.abs(w).max())),
                "each map in has its own step, and each map out is to have one.":
                    Worth(2, lambda w: _restored(w, np.abs(w).max((0, 1, 3), keepdims=True))),
                "these are the whole numbers: multiply by the step.":
                    Worth(2, lambda w: np.round(w / np.abs(w).max((0, 1, 2), keepdims=True) * 127)),
                "weights are cut off, not rounded to the nearest step.":
                    Worth(2, lambda w: _restored(w, np.abs(w).max((0, 1, 2), keepdims=True), whole=np.trunc)),
                "the largest is to be 127 steps, not 128.":
                    Worth(2, lambda w: _restored(w, np.abs(w).max((0, 1, 2), keepdims=True), 128)),
                "nothing is lost: that is more than eight bits.": lambda w: w,
            })),
    )  # fmt: skip


def _each(layers, size):
    for layer in layers:
        yield _operations([layer], size)
        size = -(-size // layer[3])


def _down(layers, size):
    total = 0
    for kernel, inputs, outputs, stride in layers:
        size //= stride
        total += 2 * kernel * kernel * inputs * outputs * size**2
    return total
