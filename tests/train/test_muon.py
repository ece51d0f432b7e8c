"""Muon: the polynomial acts on singular values, and everything else is AdamW."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from genlab.train import fit
from genlab.train.muon import Muon, inner, orthogonalize


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (1, 5)])
def test_each_singular_value_goes_through_the_polynomial_and_directions_stay(shape):
    g = torch.randn(shape)
    u, s, vt = torch.linalg.svd(g, full_matrices=False)
    s = s / s.norm()
    a, b, c = 3.4445, -4.7750, 2.0315
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    # 1e-7 is added to the norm that divides
    torch.testing.assert_close(orthogonalize(g), u @ torch.diag(s) @ vt, atol=1e-5, rtol=0)


def test_a_tall_matrix_costs_no_more_than_a_wide_one():
    counts = []
    for shape in ((40, 3), (3, 40)):
        with FlopCounterMode(display=False) as counter:
            orthogonalize(torch.randn(shape))
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def test_inner_weights_are_matrices_and_kernels_off_the_edges_of_a_net_that_has_these():
    net = nn.ModuleDict({
        "stem": nn.Conv2d(1, 2, 3), "stem_two": nn.Conv2d(2, 2, 3),
        "middle": nn.ModuleDict({"stem": nn.Linear(2, 3), "norm": nn.LayerNorm(3)}),
    })  # fmt: skip
    names = {id(p): name for name, p in net.named_parameters()}
    assert [names[id(p)] for p in inner(net, ["stem"])] == [
        "stem_two.weight", "middle.stem.weight"
    ]  # fmt: skip
    with pytest.raises(ValueError, match="ModuleDict has no head, norm"):
        inner(net, ["norm", "stem", "head"])


def linear(n_in=3, n_out=4):
    torch.manual_seed(0)
    return nn.Linear(n_in, n_out)


def steps(net, optimizer, n=5):
    """Take some steps on fixed data at a rate of 0.1."""
    x, y = torch.randn(8, 3, generator=torch.Generator().manual_seed(1)), 1.0
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    for _ in range(n):
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    return net


def test_what_is_no_matrix_moves_as_by_adamw():
    ours, theirs = linear(), linear()
    steps(ours, Muon([], ours.parameters(), weight_decay=0.3))
    steps(theirs, torch.optim.AdamW(theirs.parameters(), weight_decay=0.3))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-7, rtol=0)


def test_a_gradient_as_small_as_what_is_added_to_its_root_moves_half_as_far():
    weight = nn.Parameter(torch.zeros(1))
    weight.grad = torch.tensor([1e-8])
    Muon([], [weight]).step()
    assert weight.item() == pytest.approx(-0.5, rel=1e-6)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_a_matrix_moves_as_by_the_muon_of_torch():
    """On gradients that turn from step to step, so that memory and look-ahead show."""
    ours, theirs = linear(8, 5).weight, linear(8, 5).weight
    start = ours.detach().clone()
    optimizers = (
        Muon([ours], [], weight_decay=0.3),
        torch.optim.Muon([theirs], weight_decay=0.3, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(4):
        ours.grad = torch.randn(5, 8)
        theirs.grad = ours.grad.clone()
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = 0.1
            optimizer.step()
    moved = (start - theirs).detach().norm()
    # theirs computes the polynomial in bfloat16: two digits
    assert (ours - theirs).detach().norm() < 0.03 * moved


def test_a_kernel_moves_as_the_matrix_of_its_outputs():
    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.randn(4, 3, 2, 2))
    matrix = torch.nn.Parameter(kernel.detach().flatten(1).clone())
    for p in (kernel, matrix):
        optimizer = Muon([p], [])
        for _ in range(2):
            p.grad = (p.detach().reshape(4, 12) ** 2).view_as(p)
            optimizer.step()
    torch.testing.assert_close(kernel.flatten(1), matrix)


def test_its_state_is_taken_up_again():
    first = linear()
    optimizer = Muon([first.weight], [first.bias], weight_decay=0.1)
    steps(first, optimizer)
    second = copy.deepcopy(first)
    again = Muon([second.weight], [second.bias], weight_decay=0.1)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(first, optimizer)
    steps(second, again)
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(first.bias, second.bias)


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, 2))

    def loss(self, x, *, generator=None):
        return (x @ self.w - x).square().mean()


def test_fit_uses_the_optimizer_that_it_is_given_and_sets_its_rate():
    model = Line()
    optimizer = Muon([model.w], [])
    x = torch.randn(16, 2)
    records = list(fit(model, [x] * 60, n_steps=60, lr=lambda k: 0.8 * 0.9**k, optimizer=optimizer))
    assert records[-1].loss < 0.01 * records[0].loss
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.8 * 0.9**59)
    assert len(optimizer.state) == 1
