"""Zeroth-order estimators for PyTorch: perturbation x direction x update, and named recipes.

A recipe is a function of the parameters (`mezo`, `tezo`, ...); a method of one's own puts one part
of each axis into a `ZerothOrder`:

    >>> layer = torch.nn.Linear(4, 3)
    >>> method = {"perturbation": Sphere(), "direction": Averaged(4), "update": Momentum()}
    >>> ZerothOrder(layer, **method, lr=1e-3, seed=0).method
    'Sphere() | Averaged(queries=4) | Momentum(beta=0.9)'
"""

from estimators.directions.averaged import Averaged
from estimators.directions.base import Direction, Estimate
from estimators.directions.conservative import Conservative
from estimators.directions.greedy import Greedy
from estimators.directions.guiding_vector import GuidingVector
from estimators.directions.nes import NES
from estimators.directions.one_sided import OneSided
from estimators.directions.three_point import ThreePoint
from estimators.directions.two_point import TwoPoint
from estimators.distributed import check_ranks, data_parallel
from estimators.evaluation import Evaluation
from estimators.guard import check_closure
from estimators.log import Log
from estimators.perturbations.base import LowRankPerturbation, Perturbation
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
from estimators.recipes import (
    hizoo,
    lezo,
    lozo,
    lozo_m,
    mezo,
    mezo_adam,
    mezo_greedy,
    mezo_gv,
    mezo_m,
    nes,
    one_sided,
    q_spsa,
    r_mezo,
    rademacher,
    s_mezo,
    sphere,
    subzo,
    subzo_greedy,
    subzo_gv,
    svd0,
    svd0_adam,
    tezo,
    tezo_adam,
    tezo_m,
    with_greedy,
    with_guiding_vector,
    zo_adamu,
    zo_sgd_cons,
    zo_sgd_sign,
)
from estimators.replaying import replay
from estimators.step_size import NoStepSize, StepSize
from estimators.updates.adam import Adam
from estimators.updates.adamu import AdaMU
from estimators.updates.base import Elementwise, Update
from estimators.updates.hessian_sgd import HessianSGD
from estimators.updates.momentum import Momentum
from estimators.updates.separable_adam import SeparableAdam
from estimators.updates.sgd import SGD
from estimators.updates.sign import Sign
from estimators.zeroth_order import ZerothOrder

__all__ = [
    "CP",
    "NES",
    "SGD",
    "AdaMU",
    "Adam",
    "Averaged",
    "Conservative",
    "Direction",
    "Elementwise",
    "Estimate",
    "Evaluation",
    "Gaussian",
    "Greedy",
    "GuidingVector",
    "HessianSGD",
    "HessianScaled",
    "LayerSubset",
    "Log",
    "LowRank",
    "LowRankPerturbation",
    "MagnitudeMask",
    "Momentum",
    "MomentumCentred",
    "NoStepSize",
    "OneSided",
    "Perturbation",
    "Rademacher",
    "RandomMask",
    "SVDSubspace",
    "SeparableAdam",
    "Sign",
    "Sphere",
    "StepSize",
    "Subspace",
    "ThreePoint",
    "TwoPoint",
    "Update",
    "ZerothOrder",
    "check_closure",
    "check_ranks",
    "data_parallel",
    "hizoo",
    "lezo",
    "lozo",
    "lozo_m",
    "mezo",
    "mezo_adam",
    "mezo_greedy",
    "mezo_gv",
    "mezo_m",
    "nes",
    "one_sided",
    "q_spsa",
    "r_mezo",
    "rademacher",
    "replay",
    "s_mezo",
    "sphere",
    "subzo",
    "subzo_greedy",
    "subzo_gv",
    "svd0",
    "svd0_adam",
    "tezo",
    "tezo_adam",
    "tezo_m",
    "with_greedy",
    "with_guiding_vector",
    "zo_adamu",
    "zo_sgd_cons",
    "zo_sgd_sign",
]
