"""Estimates of a linear loss from their definitions, in plain numpy, independent of the cards.

A sampler returns draws Z of shape (samples, queries, m, n); the queries of one sample share what
the method keeps (factors, masks, layers). A direction maps (y, Z), y = <G, Z>, to estimates.
"""

import numpy as np

M, N, R = 4, 3, 2
G = np.array([[1.0, -0.5, 2.0], [0.3, 1.5, -1.0], [0.0, 0.7, 0.2], [-1.2, 0.4, 0.9]])


def gaussian(rng, samples, queries):
    return rng.standard_normal((samples, queries, M, N))


def rademacher(rng, samples, queries):
    return rng.integers(0, 2, (samples, queries, M, N)) * 2.0 - 1.0


def sphere(rng, samples, queries):
    x = gaussian(rng, samples, queries)
    return x * np.sqrt(M * N) / np.linalg.norm(x, axis=(2, 3), keepdims=True)


def cp(rng, samples, queries):
    tau = rng.standard_normal((samples, queries, R))
    u = rng.standard_normal((samples, R, M))
    v = rng.standard_normal((samples, R, N))
    return np.einsum("zqs,zsi,zsj->zqij", tau, u, v, optimize=True)


def low_rank(rng, samples, queries):
    u = rng.standard_normal((samples, queries, M, R))
    v = rng.standard_normal((samples, N, R))
    return np.einsum("zqis,zjs->zqij", u, v)


def subspace(rng, samples, queries):
    return _expand(rng, haar(rng, samples, M), haar(rng, samples, N), queries)


def svd_subspace(rng, samples, queries):
    return _expand(rng, *singular_frames(rng, samples), queries)


def singular_frames(rng, samples):
    """Leading singular vectors of <G, Z> Z for one Gaussian Z."""
    z = rng.standard_normal((samples, M, N))
    estimate = np.einsum("ij,zij->z", G, z)[:, None, None] * z
    left, _, right = np.linalg.svd(estimate, full_matrices=False)
    return left[:, :, :R], right[:, :R].transpose(0, 2, 1)


def random_mask(rng, samples, queries, keep=0.6):
    mask = rng.random((samples, 1, M, N)) < keep
    return mask * gaussian(rng, samples, queries)


def layer_subset(inner, keep=0.25):
    def draw(rng, samples, queries):
        on = rng.random((samples, 1, 1, 1)) < keep
        return on * inner(rng, samples, queries)

    return draw


def layers(rng, samples, queries):
    """The rows of G as M layers (1 x N each), one of them dropped."""
    off = rng.integers(0, M, samples)
    on = np.arange(M)[None, :] != off[:, None]
    return on[:, None, :, None] * gaussian(rng, samples, queries)


def linear_image(images):
    """Z = sum_a c_a images[a] for given matrices."""

    def draw(rng, samples, queries):
        return np.einsum(
            "zqa,aij->zqij", rng.standard_normal((samples, queries, len(images))), images
        )

    return draw


def shifted(mean, sigma):
    return lambda rng, samples, queries: mean + sigma * gaussian(rng, samples, queries)


def haar(rng, samples, size):
    q, r = np.linalg.qr(rng.standard_normal((samples, size, R)))
    return q * np.sign(np.einsum("zss->zs", r))[:, None, :]


def _expand(rng, left, right, queries):
    core = rng.standard_normal((len(left), queries, R, R))
    return np.einsum("zia,zqab,zjb->zqij", left, core, right, optimize=True)


def average(y, z):
    return np.einsum("zq,zqij->zij", y, z) / y.shape[1]


def nes(y, z):
    return average(y - y.mean(1, keepdims=True), z) * y.shape[1] / (y.shape[1] - 1)


def greedy(y, z):
    best = y.argmin(1)
    pick = np.arange(len(y))
    return y[pick, best][:, None, None] * z[pick, best]


def guiding_vector(best):
    def estimate(y, z):
        rank = y.argsort(1).argsort(1)
        w = np.where(rank < best, 1 / best, -1 / (y.shape[1] - best))
        v = np.einsum("zq,zqij->zij", w, z)
        return np.einsum("ij,zij->z", G, v)[:, None, None] * v

    return estimate


def orthonormal(y, z):
    """One-sided differences along Gram-Schmidt of the draws, times sqrt(mn)."""
    frame, _ = np.linalg.qr(z.reshape(*z.shape[:2], -1).transpose(0, 2, 1))
    flat = G.ravel()
    g = np.einsum("zaq,zbq,b->za", frame, frame, flat) * flat.size / frame.shape[2]
    return g.reshape(-1, M, N)


def estimates(sampler, direction, queries, samples, seed):
    """Independent estimates, shape (samples, m, n)."""
    rng = np.random.default_rng(seed)
    z = sampler(rng, samples, queries)
    return direction(np.einsum("ij,zqij->zq", G, z), z)


def statistics(g, target, scale):
    """Per-sample values whose means are (1, relative variance, E cos^2)."""
    flat, norm2 = g.reshape(len(g), -1), (target**2).sum()
    along = flat @ target.ravel() / (scale * norm2)
    error = ((flat / scale - target.ravel()) ** 2).sum(1) / norm2
    lengths = (flat**2).sum(1)
    inner = (flat @ G.ravel()) ** 2
    cos2 = np.divide(inner, lengths * (G**2).sum(), out=np.zeros(len(g)), where=lengths > 0)
    return along, error, cos2
