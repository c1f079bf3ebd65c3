"""The named methods: one function each, with the values their papers recommend.

Every recipe takes `params` (a module, or what every PyTorch optimiser takes) and returns a
`ZerothOrder`. `options` are that class's: weight_decay, seed, apply, restore, model, layers. The
papers tune the learning rate; the defaults are what they recommend for fine-tuning language models.
lr="auto" measures it, see `StepSize`.
"""

from __future__ import annotations

from typing import Any

from estimators.directions.averaged import Averaged
from estimators.directions.base import Direction
from estimators.directions.conservative import Conservative
from estimators.directions.greedy import Greedy
from estimators.directions.guiding_vector import GuidingVector
from estimators.directions.nes import NES
from estimators.directions.one_sided import OneSided
from estimators.directions.three_point import ThreePoint
from estimators.directions.two_point import TwoPoint
from estimators.perturbations.base import Perturbation
from estimators.perturbations.cp import CP
from estimators.perturbations.gaussian import Gaussian
from estimators.perturbations.hessian_scaled import HessianScaled
from estimators.perturbations.layer_subset import LayerSubset
from estimators.perturbations.low_rank import LowRank
from estimators.perturbations.masks import MagnitudeMask, RandomMask
from estimators.perturbations.momentum_centred import MomentumCentred
from estimators.perturbations.rademacher import Rademacher
from estimators.perturbations.sphere import Sphere
from estimators.perturbations.subspace import Subspace
from estimators.perturbations.svd_subspace import SVDSubspace
from estimators.step_size import StepSize
from estimators.updates.adam import Adam
from estimators.updates.adamu import AdaMU
from estimators.updates.base import Update
from estimators.updates.hessian_sgd import HessianSGD
from estimators.updates.momentum import Momentum
from estimators.updates.separable_adam import SeparableAdam
from estimators.updates.sgd import SGD
from estimators.updates.sign import Sign
from estimators.zeroth_order import ZerothOrder

Rate = float | str | StepSize


def _build(
    params: Any,
    perturbation: Perturbation,
    lr: Rate,
    eps: float,
    options: dict[str, Any],
    *,
    direction: Direction | None = None,
    update: Update | None = None,
) -> ZerothOrder:
    return ZerothOrder(
        params,
        perturbation=perturbation,
        direction=direction or TwoPoint(),
        update=update or SGD(),
        lr=lr,
        eps=eps,
        **options,
    )


def mezo(params: Any, lr: Rate = 1e-6, *, eps: float = 1e-3, **options: Any) -> ZerothOrder:
    """MeZO: Gaussian Z, two-sided difference, SGD (Malladi et al. 2023, Algorithm 1)."""
    return _build(params, Gaussian(), lr, eps, options)


def mezo_m(
    params: Any, lr: Rate = 1e-6, *, eps: float = 1e-3, beta: float = 0.9, **options: Any
) -> ZerothOrder:
    """MeZO with (dense) momentum, averaged as in TeZO's Algorithm 1."""
    return _build(params, Gaussian(), lr, eps, options, update=Momentum(beta))


def mezo_adam(
    params: Any,
    lr: Rate = 3e-5,
    *,
    eps: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    delta: float = 1e-8,
    **options: Any,
) -> ZerothOrder:
    """MeZO with Adam on dense moments (Malladi et al. 2023, App. B.2)."""
    return _build(params, Gaussian(), lr, eps, options, update=Adam(*betas, delta))


def zo_sgd_sign(params: Any, lr: Rate = 1e-6, *, eps: float = 1e-3, **options: Any) -> ZerothOrder:
    """ZO-SGD-Sign: MeZO's estimate, sign update (Liu et al. 2019, Algorithm 1)."""
    return _build(params, Gaussian(), lr, eps, options, update=Sign())


def zo_sgd_cons(params: Any, lr: Rate = 1e-6, *, eps: float = 1e-3, **options: Any) -> ZerothOrder:
    """ZO-SGD-Cons: of the steps +, 0, - the one of lowest loss. Five evaluations a step."""
    return _build(params, Gaussian(), lr, eps, options, direction=Conservative())


def zo_adamu(
    params: Any,
    lr: Rate = 1e-6,
    *,
    horizon: int = 20_000,
    eps: float = 1e-3,
    delta: float = 1e-8,
    **options: Any,
) -> ZerothOrder:
    """ZO-AdaMU (Jiang et al. 2024, Algorithm 1): the perturbation carries the momentum.

    horizon: the number of steps planned; the schedule warms up for a tenth of it and is constant
    after half of it.
    """
    schedule = MomentumCentred(horizon // 10, max(1, horizon // 2), horizon)
    return _build(params, schedule, lr, eps, options, update=AdaMU(delta))


def hizoo(
    params: Any, lr: Rate = 1e-6, *, eps: float = 1e-3, smoothing: float = 1e-8, **options: Any
) -> ZerothOrder:
    """HiZOO (Zhao et al. 2024, Algorithm 1): diagonal Hessian, three evaluations a step."""
    return _build(
        params,
        HessianScaled(),
        lr,
        eps,
        options,
        direction=ThreePoint(),
        update=HessianSGD(smoothing),
    )


def lozo(
    params: Any,
    lr: Rate = 1e-6,
    *,
    rank: int = 8,
    interval: int = 100,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """LOZO: Z = U V^T, V kept for `interval` steps (Chen et al. 2025, Algorithm 1).

    Rank and interval as in TeZO's Table 6.
    """
    return _build(params, LowRank(rank, interval), lr, eps, options)


def lozo_m(
    params: Any,
    lr: Rate = 1e-6,
    *,
    rank: int = 8,
    interval: int = 100,
    beta: float = 0.9,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """LOZO with momentum in the factor U (Chen et al. 2025, Algorithm 2)."""
    return _build(params, LowRank(rank, interval), lr, eps, options, update=Momentum(beta))


def subzo(
    params: Any,
    lr: Rate = 1e-6,
    *,
    rank: int = 64,
    interval: int = 500,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """SubZO (SubZero): Z = U S V^T with random orthonormal U, V (Yu et al. 2024, Algorithm 3).

    Rank and interval as in TeZO's Table 6.
    """
    return _build(params, Subspace(rank, interval), lr, eps, options)


def _cp(rank: int | None, threshold: float, max_rank: int, interval: int | None) -> CP:
    return CP(rank, threshold=threshold, max_rank=max_rank, interval=interval)


def tezo(
    params: Any,
    lr: Rate = 1e-6,
    *,
    rank: int | None = None,
    threshold: float = 0.25,
    max_rank: int = 64,
    interval: int | None = None,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """TeZO: Z_t = sum_s tau_s u_s v_s^T with u, v kept (TeZO, Algorithm 1).

    rank: None for the rule of Eq. 7 with `threshold` and `max_rank`. interval: None keeps u and v
    for the whole run, as the paper does.
    """
    return _build(params, _cp(rank, threshold, max_rank, interval), lr, eps, options)


def tezo_m(
    params: Any,
    lr: Rate = 1e-6,
    *,
    rank: int | None = None,
    threshold: float = 0.25,
    max_rank: int = 64,
    interval: int | None = None,
    beta: float = 0.9,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """TeZO-m: momentum kept on tau (TeZO, Algorithm 1, lines 12 and 13)."""
    perturbation = _cp(rank, threshold, max_rank, interval)
    return _build(params, perturbation, lr, eps, options, update=Momentum(beta))


def tezo_adam(
    params: Any,
    lr: Rate = 3e-5,
    *,
    rank: int | None = None,
    threshold: float = 0.25,
    max_rank: int = 64,
    interval: int | None = None,
    betas: tuple[float, float] = (0.9, 0.99),
    delta: float = 1e-5,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """TeZO-Adam: separable moments kept on tau (TeZO, Algorithm 1, lines 14 to 18)."""
    perturbation = _cp(rank, threshold, max_rank, interval)
    return _build(params, perturbation, lr, eps, options, update=SeparableAdam(*betas, delta))


def svd0(
    params: Any,
    lr: Rate = 1e-6,
    *,
    rank: int = 24,
    interval: int = 1000,
    queries: int = 1,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """SVD-0: Z = U S V^T, U and V from the SVD of an estimate (SVD-0, Algorithms 1 to 3).

    queries: two-sided directions of that estimate; the paper takes one.
    """
    return _build(params, SVDSubspace(rank, interval, queries), lr, eps, options)


def svd0_adam(
    params: Any,
    lr: Rate = 3e-5,
    *,
    rank: int = 24,
    interval: int = 1000,
    queries: int = 1,
    betas: tuple[float, float] = (0.9, 0.999),
    delta: float = 1e-8,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """SVD-0 with Adam on the core S (SVD-0, Table 19, which does not define it; see `Adam`)."""
    perturbation = SVDSubspace(rank, interval, queries)
    return _build(params, perturbation, lr, eps, options, update=Adam(*betas, delta))


def s_mezo(
    params: Any,
    lr: Rate = 1e-6,
    *,
    sparsity: float = 0.75,
    implementation: str = "mask",
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """S-MeZO: only the small weights are perturbed and updated (S-MeZO, Algorithm 1).

    implementation: "copy" keeps a copy of the weights during a step (the paper's vanilla
    version), "mask" perturbs in place and stores the mask during a step, "forward" computes mask
    and noise inside the forward pass (Sec. 3.3, S-MeZO-EI; needs a module). All three evaluate
    and update the same weights. 16-bit weights perturbed in place are copied in any case.
    """
    ways = {
        "copy": {"apply": "inplace", "restore": "copy"},
        "mask": {"apply": "inplace"},
        "forward": {"apply": "forward"},
    }
    if implementation not in ways:
        raise ValueError(f"implementation must be one of {sorted(ways)}, got {implementation!r}")
    perturbation = MagnitudeMask(sparsity, stored=implementation == "mask")
    return _build(params, perturbation, lr, eps, {**ways[implementation], **options})


def r_mezo(
    params: Any, lr: Rate = 1e-6, *, sparsity: float = 0.75, eps: float = 1e-3, **options: Any
) -> ZerothOrder:
    """R-MeZO: a random set of weights, the baseline of the S-MeZO paper."""
    return _build(params, RandomMask(sparsity), lr, eps, options)


def lezo(
    params: Any, lr: Rate = 1e-6, *, sparsity: float = 0.75, eps: float = 1e-3, **options: Any
) -> ZerothOrder:
    """LeZO: a random subset of layers each step, embeddings always (LeZO, Algorithm 1).

    The layers are the blocks that the module repeats, or those of `layers`. Raises ValueError if
    there are none.
    """
    return _build(params, LayerSubset(Gaussian(), sparsity), lr, eps, options)


def with_guiding_vector(
    params: Any,
    perturbation: Perturbation,
    lr: Rate = 1e-6,
    *,
    candidates: int = 4,
    elite: float = 0.5,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """Guiding vector ("Prior-informed ZO", Algorithm 1) over any perturbation, SGD."""
    direction = GuidingVector(candidates, elite)
    return _build(params, perturbation, lr, eps, options, direction=direction)


def with_greedy(
    params: Any,
    perturbation: Perturbation,
    lr: Rate = 1e-6,
    *,
    candidates: int = 4,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """Greedy perturbation ("Prior-informed ZO", Algorithm 3) over any perturbation, SGD."""
    return _build(params, perturbation, lr, eps, options, direction=Greedy(candidates))


def mezo_gv(params: Any, lr: Rate = 2e-7, **options: Any) -> ZerothOrder:
    """MeZO-GV: guiding vector over Gaussian draws, M = 4, alpha = 0.5 (App. A, Table 7)."""
    return with_guiding_vector(params, Gaussian(), lr, **options)


def mezo_greedy(params: Any, lr: Rate = 2e-7, **options: Any) -> ZerothOrder:
    """MeZO-Greedy: the best of M = 4 Gaussian draws."""
    return with_greedy(params, Gaussian(), lr, **options)


def subzo_gv(
    params: Any, lr: Rate = 2e-7, *, rank: int = 64, interval: int = 1000, **options: Any
) -> ZerothOrder:
    """SubZO-GV: guiding vector over SubZO's draws (rank and interval from Table 7)."""
    return with_guiding_vector(params, Subspace(rank, interval), lr, **options)


def subzo_greedy(
    params: Any, lr: Rate = 2e-7, *, rank: int = 64, interval: int = 1000, **options: Any
) -> ZerothOrder:
    """SubZO-Greedy: the best of M draws of SubZO (rank and interval from Table 7)."""
    return with_greedy(params, Subspace(rank, interval), lr, **options)


def nes(
    params: Any, lr: Rate = 1e-6, *, queries: int = 4, eps: float = 1e-3, **options: Any
) -> ZerothOrder:
    """NES: search gradient of q one-sided Gaussian draws with the mean loss as baseline."""
    return _build(params, Gaussian(), lr, eps, options, direction=NES(queries))


def q_spsa(
    params: Any, lr: Rate = 1e-6, *, queries: int = 4, eps: float = 1e-3, **options: Any
) -> ZerothOrder:
    """The average of q two-sided Gaussian directions (Malladi et al. 2023, Definition 1)."""
    return _build(params, Gaussian(), lr, eps, options, direction=Averaged(queries))


def one_sided(
    params: Any,
    lr: Rate = 1e-6,
    *,
    queries: int = 1,
    orthonormal: bool = False,
    eps: float = 1e-3,
    **options: Any,
) -> ZerothOrder:
    """q one-sided differences round a shared point, with Gaussian or orthonormal directions."""
    direction = OneSided(queries, orthonormal=orthonormal)
    return _build(params, Gaussian(), lr, eps, options, direction=direction)


def rademacher(params: Any, lr: Rate = 1e-6, *, eps: float = 1e-3, **options: Any) -> ZerothOrder:
    """SPSA with random signs (Spall 1992)."""
    return _build(params, Rademacher(), lr, eps, options)


def sphere(params: Any, lr: Rate = 1e-6, *, eps: float = 1e-3, **options: Any) -> ZerothOrder:
    """Two-sided difference along a direction on the sphere of radius sqrt(d) of each tensor."""
    return _build(params, Sphere(), lr, eps, options)
