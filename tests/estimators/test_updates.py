"""Each method's step against a dense reference of a few lines.

The directions are measured, not taken from the library: the closure remembers the weights at
which it is called, and Z is the difference of two such points over 2 eps, in float64.
"""

import math

import pytest
import torch

from estimators import lozo_m, philox, tezo_adam
from tests.estimators.problems import Recorder, Table, build

EPS = 1e-3
LR = 1e-2


def run(name, steps=5, **options):
    """Run a recipe; return its closure, optimiser and the weights before and after each step."""
    model = Table()
    closure = Recorder(model)
    optimizer = build(name, model, lr=LR, eps=EPS, seed=1, **options)
    path, calls = [model.vector()], []
    for _ in range(steps):
        start = len(closure.points)
        optimizer.step(closure)
        calls.append((closure.points[start:], closure.losses[start:]))
        path.append(model.vector())
    return optimizer, path, calls


def two_point(call, first=0):
    """Return (kappa, Z) of the two-sided difference made by evaluations `first`, `first` + 1."""
    points, losses = call
    kappa = (losses[first] - losses[first + 1]) / (2 * EPS)
    return kappa, (points[first] - points[first + 1]) / (2 * EPS)


def assert_path(path, reference):
    for t, (got, want) in enumerate(zip(path, reference, strict=True)):
        torch.testing.assert_close(
            got, want, rtol=0, atol=1e-10, msg=lambda m, t=t: f"step {t}: {m}"
        )


SGD_RECIPES = ["mezo", "rademacher", "sphere", "r_mezo", "s_mezo", "lezo", "lozo", "subzo", "tezo"]


@pytest.mark.parametrize("name", SGD_RECIPES)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd(name, decay):
    _, path, calls = run(name, weight_decay=decay)
    reference = [path[0]]
    for call in calls:
        kappa, z = two_point(call)
        on = reference[-1] if name != "lezo" else reference[-1] * (z != 0)
        reference.append(reference[-1] - LR * decay * on - LR * kappa * z)
    assert_path(path, reference)


def momentum_reference(path, calls, beta=0.9):
    reference, moment = [path[0]], torch.zeros_like(path[0])
    for call in calls:
        kappa, z = two_point(call)
        moment = beta * moment + (1 - beta) * kappa * z
        reference.append(reference[-1] - LR * moment)
    return reference


@pytest.mark.parametrize(
    ("name", "options"), [("mezo_m", {}), ("tezo_m", {}), ("lozo_m", {"interval": 9})]
)
def test_momentum(name, options):
    """Factor-space momentum is dense momentum as long as the basis stays."""
    _, path, calls = run(name, **options)
    assert_path(path, momentum_reference(path, calls))


def test_lozo_momentum_is_projected_at_a_refresh():
    model = Table()
    closure = Recorder(model)
    optimizer = lozo_m(model, lr=LR, rank=2, interval=1, eps=EPS)
    moment, before = torch.zeros(11, 7, dtype=torch.float64), model.embed.detach().clone()
    for _ in range(4):
        start = len(closure.points)
        optimizer.step(closure)
        kappa, z = two_point((closure.points[start:], closure.losses[start:]))
        v = optimizer.state[model.embed]["V"]
        moment = 0.9 * moment @ v @ v.T / 7 + 0.1 * kappa * z[:77].view(11, 7)
        before = before - LR * moment
        torch.testing.assert_close(model.embed.detach(), before, rtol=0, atol=1e-10)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_mezo_adam_is_adamw_on_the_estimate(decay):
    _, path, calls = run("mezo_adam", weight_decay=decay)
    theta = torch.nn.Parameter(path[0].clone())
    adam = torch.optim.AdamW([theta], lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay)
    reference = [path[0]]
    for call in calls:
        kappa, z = two_point(call)
        theta.grad = kappa * z
        adam.step()
        reference.append(theta.detach().clone())
    # Adam divides by |g|, which magnifies the rounding of the measured Z.
    for got, want in zip(path, reference, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


def test_sign():
    _, path, calls = run("zo_sgd_sign")
    reference = [path[0]]
    for call in calls:
        kappa, z = two_point(call)
        reference.append(reference[-1] - LR * torch.sign(kappa * z))
    assert_path(path, reference)


def test_conservative_takes_the_best_of_three():
    model = Table()
    closure = Recorder(model)
    signs = set()
    for seed, rate in enumerate([3.0, 3.0, 0.03, 0.03]):
        optimizer = build("zo_sgd_cons", model, lr=rate, eps=EPS, seed=seed)
        before, start = model.vector(), len(closure.points)
        optimizer.step(closure)
        points, losses = closure.points[start:], closure.losses[start:]
        kappa, z = two_point((points, losses), first=1)
        steps = {sign: before.detach() - sign * rate * kappa * z for sign in (0.0, 1.0, -1.0)}
        values = {}
        for sign, point in steps.items():
            values[sign] = float(
                closure.slope @ point / 10 + (closure.curve * point.square()).sum() / 20
            )
        best = min(values, key=values.get)
        signs.add(best)
        torch.testing.assert_close(model.vector().detach(), steps[best], rtol=0, atol=1e-8)
    assert signs >= {0.0, 1.0}


@pytest.mark.parametrize(("candidates", "elite"), [(4, 0.5), (4, 0.25), (5, 0.5)])
def test_guiding_vector(candidates, elite):
    """Also where the elite and the others are not equally many."""
    _, path, calls = run("mezo_gv", candidates=candidates, elite=elite)
    best = int(elite * candidates)
    reference = [path[0]]
    for points, losses in calls:
        assert len(points) == candidates + 2
        z = torch.stack([(point - reference[-1]) / EPS for point in points[:candidates]])
        order = sorted(range(candidates), key=losses[:candidates].__getitem__)
        v = z[order[:best]].mean(0) - z[order[best:]].mean(0)
        torch.testing.assert_close(points[-2], reference[-1] + EPS * v, rtol=0, atol=1e-10)
        kappa = (losses[-2] - losses[-1]) / (2 * EPS)
        reference.append(reference[-1] - LR * kappa * v)
    assert_path(path, reference)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("candidates", "elite"), [(4, 0.5), (6, 0.5), (4, 0.25), (3, 0.5)])
@pytest.mark.parametrize("name", ["mezo_gv", "subzo_gv"])
def test_candidates_are_independent_draws(name, candidates, elite):
    """Also when pairs of them share two draws."""
    seen = []
    for seed in range(300):
        model = Table()
        closure = Recorder(model)
        optimizer = build(name, model, seed=seed, candidates=candidates, elite=elite)
        optimizer.estimate(closure)
        z = torch.stack(closure.points[:candidates]) - model.vector()
        seen.append(z[:, [0, 40, 76]] / optimizer.eps)  # three entries of the embedding
    z = torch.stack(seen).detach()
    z /= z.square().mean((0, 1)).sqrt()
    moments = torch.einsum("tia,tjb->ijab", z, z) / len(z)
    for i in range(candidates):
        assert (moments[i, i].diagonal() - 1).abs().max() < 0.6
        for j in range(i):
            assert moments[i, j].abs().max() < 6 / len(z) ** 0.5


@pytest.mark.parametrize(("apply", "draws"), [("inplace", {14, 15}), ("forward", {14})])
def test_guiding_vector_regenerates_few_draws(apply, draws, monkeypatch):
    counts, write = [], philox.write

    def counted(sums):
        counts[-1] += sum(len(one.terms) for one in sums)
        write(sums)

    monkeypatch.setattr(philox, "write", counted)
    model = torch.nn.Linear(9, 8, bias=False)
    optimizer = build("mezo_gv", model, apply=apply)
    x = torch.arange(9.0)
    for _ in range(10):
        counts.append(0)
        optimizer.step(lambda: model(x).square().sum())
    assert set(counts) == draws


def test_greedy():
    _, path, calls = run("mezo_greedy")
    reference = [path[0]]
    for points, losses in calls:
        best = min(range(4), key=losses[:4].__getitem__)
        torch.testing.assert_close(points[4], points[best], rtol=0, atol=1e-12)
        kappa, z = two_point((points, losses), first=4)
        reference.append(reference[-1] - LR * kappa * z)
    assert_path(path, reference)


def test_averaged():
    _, path, calls = run("q_spsa", queries=3)
    reference = [path[0]]
    for call in calls:
        pairs = [two_point(call, first=2 * i) for i in range(3)]
        reference.append(reference[-1] - LR * sum(kappa * z for kappa, z in pairs) / 3)
    assert_path(path, reference)


@pytest.mark.parametrize("orthonormal", [False, True])
def test_one_sided(orthonormal):
    _, path, calls = run("one_sided", queries=3, orthonormal=orthonormal)
    reference = [path[0]]
    for points, losses in calls:
        torch.testing.assert_close(points[0], reference[-1], rtol=0, atol=1e-12)
        z = torch.stack([(point - points[0]) / EPS for point in points[1:]])
        if orthonormal:
            gram = z @ z.T / z.shape[1]
            torch.testing.assert_close(gram, torch.eye(3, dtype=torch.float64), atol=1e-6, rtol=0)
        slopes = torch.tensor(losses[1:], dtype=torch.float64) - losses[0]
        reference.append(reference[-1] - LR * (slopes / EPS) @ z / 3)
    assert_path(path, reference)


def test_nes():
    _, path, calls = run("nes", queries=4)
    reference = [path[0]]
    for points, losses in calls:
        z = torch.stack([(point - reference[-1]) / EPS for point in points])
        f = torch.tensor(losses, dtype=torch.float64)
        baseline = (f.sum() - f) / 3  # the mean of the others
        reference.append(reference[-1] - LR * ((f - baseline) / EPS) @ z / 4)
    assert_path(path, reference)


def test_hizoo():
    _, path, calls = run("hizoo", smoothing=0.1)
    reference, hessian = [path[0]], torch.ones_like(path[0])
    for points, losses in calls:
        kappa, z = two_point((points, losses), first=1)
        u = z * hessian.sqrt()
        curvature = (losses[1] + losses[2] - 2 * losses[0]) / (2 * EPS**2)
        reference.append(reference[-1] - LR * kappa * z)
        hessian = 0.9 * hessian + 0.1 * abs(curvature) * hessian * u.square()
    assert u.abs().max() < 6  # the scale was divided out: u is standard normal
    assert 0.8 < u.square().mean() < 1.2
    assert_path(path, reference)


def test_adamu():
    """Through the phases of the schedule; z0 and z1 are taken from the noise itself."""
    optimizer, path, calls = run("zo_adamu", steps=12)
    slots = optimizer.slots()
    moment = {slot.name: torch.zeros(slot.m, slot.n, dtype=torch.float64) for slot in slots}
    for t, call in enumerate(calls):
        kappa, z = two_point(call)
        step, draws = [], []
        for slot in slots:
            slot.state["m"] = moment[slot.name]
            noise = optimizer.perturbation.draw(slot, 1, t, 0)
            _, fresh, past = noise.parts(slice(0, slot.m))
            now = noise.beta1 * fresh + (1 - noise.beta1) * past
            second = noise.beta2 * fresh**2 + (1 - noise.beta2) * past**2
            moment[slot.name] = now
            draws.append(now.flatten())
            step.append((now / (second + 1e-8).sqrt()).flatten())
        torch.testing.assert_close(torch.cat(draws), z, rtol=0, atol=1e-9)
        torch.testing.assert_close(path[t] - LR * kappa * torch.cat(step), path[t + 1])
    early, late = (optimizer.perturbation.anneal(t, 1.0) for t in (0, 15))
    assert early == 1.0
    assert math.isclose(late, (1 + math.cos(math.pi * 8 / 18)) / 2)


def test_tezo_adam():
    model = Table()
    closure = Recorder(model)
    optimizer = tezo_adam(model, lr=LR, rank=2, eps=EPS)
    mean = second = torch.zeros(2, dtype=torch.float64)
    for _ in range(5):
        before = model.embed.detach().clone()
        start = len(closure.points)
        optimizer.step(closure)
        kappa, z = two_point((closure.points[start:], closure.losses[start:]))
        u, v = (optimizer.state[model.embed][key] for key in "UV")
        terms = torch.stack([torch.outer(u[:, s], v[:, s]).flatten() for s in range(2)], dim=1)
        tau = torch.linalg.lstsq(terms, z[:77]).solution
        torch.testing.assert_close(terms @ tau, z[:77], rtol=0, atol=1e-9)
        mean = 0.9 * mean + 0.1 * kappa * tau
        second = 0.99 * second + 0.01 * (kappa * tau) ** 2
        step = (terms @ mean) / (terms.square() @ second + 1e-5).sqrt()
        torch.testing.assert_close(model.embed.detach(), before - LR * step.view(11, 7))


def test_svd0_searches_the_singular_subspace_of_its_estimate():
    _, path, calls = run("svd0", steps=4, rank=2, interval=3)
    assert [len(points) for points, _ in calls] == [4, 2, 2, 4]
    reference = [path[0]]
    for t, call in enumerate(calls):
        if t % 3 == 0:
            _, gradient = two_point(call)
            u, _, v = torch.linalg.svd(gradient[:77].view(11, 7))
            u, v = u[:, :2], v[:2].T
        kappa, z = two_point(call, first=len(call[0]) - 2)
        block = z[:77].view(11, 7)
        torch.testing.assert_close(u @ u.T @ block @ v @ v.T, block, rtol=0, atol=1e-9)
        reference.append(reference[-1] - LR * kappa * z)
    assert_path(path, reference)


def test_svd0_adam_in_the_core():
    model = Table()
    closure = Recorder(model)
    optimizer = build("svd0_adam", model, lr=LR, eps=EPS, interval=10)
    core = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.float64))
    adam = torch.optim.Adam([core], lr=LR)
    before = model.embed.detach().clone()
    for _ in range(4):
        optimizer.step(closure)
        u, v = (optimizer.state[model.embed][key] for key in "UV")
        kappa, z = two_point((closure.points[-2:], closure.losses[-2:]))
        core.grad = kappa * u.T @ z[:77].view(11, 7) @ v
        adam.step()
        want = before + u @ core.detach() @ v.T
        torch.testing.assert_close(model.embed.detach(), want, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("sparsity", "left"), [(0.75, 1), (0.7, 2), (0.45, 3), (0.2, 4)])
def test_lezo_turns_off_the_right_number_of_layers(sparsity, left):
    """floor(sparsity N) of N = 4, not the nearest number: of 0.7 N = 2.8 layers 2 are off."""
    _, _, calls = run("lezo", sparsity=sparsity, steps=6)
    size = 5 * 7 + 7 + 24
    seen = set()
    for call in calls:
        _, z = two_point(call)
        assert (z[:77] != 0).all()  # the embedding is always on
        on = [bool((part != 0).any()) for part in z[77:].split(size)]
        assert sum(on) == left
        seen.add(tuple(on))
    assert len(seen) > 1 or left == 4


@pytest.mark.parametrize("implementation", ["copy", "mask"])
def test_s_mezo_moves_only_the_small_weights(implementation):
    model = Table()
    before = model.embed.detach().clone()
    threshold = before.abs().flatten().sort().values[round(0.25 * 77) - 1]
    build("s_mezo", model, lr=LR, implementation=implementation).step(Recorder(model))
    moved = model.embed.detach() != before
    if implementation == "copy":
        assert torch.equal(moved, before.abs() <= threshold)
    shift = (model.embed.detach() - before).abs()
    assert torch.equal(shift > 1e-12, before.abs() <= threshold)
