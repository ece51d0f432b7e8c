"""The models of lessons 10 to 15: that some steps help, and how their figures are measured."""

import math

import pytest
import torch
from torch import nn

from genlab.core import last
from genlab.core.capabilities import HasElbo, Sampleable, Trainable
from genlab.data.digits import load_digits, load_mnist, to_unit
from genlab.metrics.cost import network_passes
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.oracles import Gaussian
from genlab.score.matching import ladder_overlap, x0_from_score
from genlab.zoo import card, find, load_model
from genlab.zoo.scores import (
    NO_CLASS,
    conditional_bits,
    denoise,
    draw_classes,
    draw_clean,
    draw_masked,
    draw_student,
    draw_teacher,
    fresh_samples,
    student_of,
)

EBM = find("digit_ebm").but(width=32, n_chains=256, n_steps=3, chain_steps=3)
DDPM = find("digit_diffusion").but(T=10, width=8, n_steps=5)
EDM = find("digit_edm").but(width=8)
MASKED = find("digit_masked_diffusion").but(width=8, n_steps=3, batch_size=8)


def seed(k=0):
    return torch.Generator().manual_seed(k)


def test_the_chains_begin_in_noise_of_the_base():
    states = find("digit_ebm").untrained().chains.states
    assert states.shape == (1024, 1, 8, 8)
    assert abs(states.std() / 0.7 - 1) < 5 * (0.5 / states.numel()) ** 0.5


def test_the_rate_of_the_energy_holds_and_then_fades_to_nothing():
    row, rates = EBM.but(n_steps=10, lr=1.0), []
    ebm = row.untrained()
    run = row.train(ebm)
    ebm.loss = lambda x, *, generator: sum(p.sum() for p in ebm.parameters())
    for _ in run:
        rates.append(run._parts["optimizer"].param_groups[0]["lr"])
    assert rates == pytest.approx([1, 1, 1, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_denoising_is_exact_for_a_normal_distribution():
    # data N(0, 0.4^2) with noise 0.3: the energy of N(0, 0.25), and the best guess 0.64 x
    ebm = EBM.untrained()
    ebm.base_std = 0.5
    for parameter in ebm.parameters():
        parameter.data.zero_()
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(denoise(ebm, x, sigma=0.3), 0.64 * x)


def test_fresh_chains_repeat_with_their_seed_and_leave_the_pool_alone():
    ebm = EBM.untrained()
    before = ebm.chains.states.clone()
    a, b = (fresh_samples(ebm, 3, n_steps=4, generator=seed(1)) for _ in range(2))
    assert torch.equal(a, b)
    assert a.shape == (3, 1, 8, 8)
    assert torch.equal(ebm.chains.states, before)


@pytest.mark.slow
def test_training_lowers_the_energy_of_digits_below_that_of_scrambled_ones():
    row = EBM.but(n_steps=120, chain_steps=10, lr=2e-3)
    ebm = row.untrained()
    last(row.train(ebm))
    x = to_unit(load_digits("train").images[:500]) + 0.3 * torch.randn(500, 1, 8, 8)
    scrambled = x.flatten(1)[:, torch.randperm(64)].reshape(x.shape)
    assert (ebm.energy(x) < ebm.energy(scrambled)).double().mean() > 0.8


def test_chains_lose_the_noise_that_the_energy_was_trained_with():
    ebm = EBM.but(width=8, n_chains=30, p_restart=0.0, chain_steps=1).untrained()
    images = draw_clean(ebm)(30, seed())
    assert images.shape == (30, 1, 8, 8)
    assert images.dtype == torch.int64
    with torch.no_grad():
        assert torch.equal(images, draw_clean(ebm)(30, seed()))


def test_the_ladder_starts_at_the_widest_distance_and_its_rungs_overlap_by_half():
    x = to_unit(load_digits("train").images).flatten(1)
    sizes, widest = find("digit_ncsn").sizes, torch.cdist(x, x).max().item()
    assert widest < sizes["sigma_max"] < 1.1 * widest
    ratio = (sizes["sigma_max"] / sizes["sigma_min"]) ** (1 / (sizes["n_levels"] - 1))
    assert 0.4 < ladder_overlap(ratio, 64) < 0.6


@pytest.mark.slow
def test_a_trained_score_denoises_held_out_digits_better_than_a_normal_and_draws_digits():
    torch.set_default_dtype(torch.float32)
    train, held_out = (to_unit(load_digits(part).images) for part in ("train", "val"))
    row = find("digit_ncsn").but(n_steps=1200)
    model = row.untrained()
    last(row.train(model))
    flat = train.flatten(1).double()
    cov = torch.cov(flat.T) + 1e-6 * torch.eye(64, dtype=torch.float64)
    normal, sigma = Gaussian(flat.mean(0), cov), torch.full((len(held_out),), 0.5)
    x_t = held_out + 0.5 * torch.randn(held_out.shape, generator=seed())
    with torch.no_grad():
        guess = x0_from_score(x_t, model.score(x_t, sigma), torch.ones_like(sigma), sigma)
    linear = normal.denoiser(x_t.flatten(1).double(), 1.0, 0.5)
    error = (guess - held_out).square().mean()
    assert error < 0.95 * (linear - held_out.flatten(1)).square().mean()
    features = lambda x: load_classifier().features(8 * (x + 1))
    distance = frechet_distance(features(train), features(model.sample(500, generator=seed())))
    assert distance < 1.0  # noise is at about 9; after the full training about 0.2


@pytest.mark.parametrize("T", [5, 100, 1000])
def test_the_schedule_ends_in_almost_pure_noise_whatever_the_number_of_steps(T):
    left = DDPM.but(T=T).untrained().alphas_bar[-1].item()
    assert left == pytest.approx(math.exp(-(0.1 + 20) / 2))


def test_a_tenth_of_the_rows_has_no_class():
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, x, t, label=None):
            seen.append(label)
            return self.weight * x

    row = DDPM.but(n_steps=100)
    model = row.untrained()
    model.eps_net = Spy()
    last(row.train(model))
    dropped = (torch.cat(seen) == NO_CLASS).double()
    # 6,400 rows: five standard errors of a proportion of 0.1 are 0.019.
    assert abs(dropped.mean().item() - row.fit["p_drop"]) < 0.019
    per_batch = dropped.reshape(100, -1).sum(1)
    assert 0 < per_batch.min() < per_batch.max() < 64  # some rows of each batch, never all


def test_the_diffusion_can_be_given_a_class_or_none():
    model = DDPM.untrained()
    last(DDPM.train(model))
    _: tuple[HasElbo, Sampleable, Trainable] = (model, model, model)
    assert not model.training
    draw = lambda cond: model.sample(4, cond=cond, generator=seed())
    torch.testing.assert_close(draw(torch.full((4,), NO_CLASS)), draw(None))
    assert not torch.allclose(draw(torch.tensor([0, 1, 2, 3])), draw(None))


@pytest.mark.slow
def test_some_training_lowers_the_loss_and_raises_the_bound():
    torch.set_default_dtype(torch.float32)  # as users train it, and twice as fast
    images = to_unit(load_digits("test").images[:50])
    row = find("digit_diffusion").but(T=20, width=8, n_steps=100)
    model = row.untrained()
    records = list(row.train(model))
    assert sum(r.loss for r in records[-20:]) < 0.7 * sum(r.loss for r in records[:20])
    bounds = [m.elbo(images, generator=seed()).mean() for m in (row.untrained(), model)]
    assert bounds[1] > bounds[0] + 64  # a nat for each pixel


class Table:
    """A 'model' whose bound depends on the class that it is given, and on nothing else."""

    def __init__(self, nats):
        self.nats = nats

    def elbo(self, x, *, cond, generator=None):
        return self.nats[cond].to(x)


def test_the_bound_is_that_of_the_guessed_class_and_the_guess_costs_log_10():
    images = load_digits("test").images[:50]
    found = conditional_bits(Table(torch.full((10,), -64 * math.log(2))), images)
    assert found == pytest.approx(1 + math.log2(10) / 64, rel=1e-12)
    expected = (10.0 * load_classifier()(images).argmax(1)).mean() + math.log(10)
    found = conditional_bits(Table(-10.0 * torch.arange(10)), images)
    assert found == pytest.approx(float(expected) / 64 / math.log(2))


def test_every_class_is_drawn_equally_often_in_whole_grey_levels():
    model, seen = DDPM.but(T=2).untrained(), []
    model.eps_net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[2]))
    images = draw_classes(model)(20, seed())
    assert images.dtype == torch.int64
    assert images.shape == (20, 1, 8, 8)
    assert 0 <= int(images.min()) <= int(images.max()) <= 16
    assert all(torch.equal(labels.bincount(), torch.full((10,), 2)) for labels in seen)
    assert len(seen) == 2
    assert next(model.parameters()).dtype == torch.float64  # a copy was drawn from


@pytest.mark.parametrize("size", [16, 28])
def test_the_row_names_the_width_of_its_data(size):
    spread = to_unit(load_mnist("train", size).images, 255).std().item()
    assert abs(spread - find(f"mnist{size}_diffusion").sizes["sigma_data"]) < 0.01


@pytest.mark.parametrize("size", [16, 28])
def test_the_shipped_model_draws_the_digit_that_it_is_given(size):
    model = load_model(f"mnist{size}_diffusion", dtype=torch.float32)
    assert card(f"mnist{size}_diffusion")["metrics"]["recognised_w2"] > 0.95
    # its guess from much noise is nearer to the digit when it is given which digit
    images, labels = load_mnist("test", size)
    x0 = to_unit(images[:64], 255).float()
    noise = torch.randn(x0.shape, generator=seed(), dtype=torch.float32)
    sigma = torch.full((64,), 1.5, dtype=torch.float32)
    with torch.no_grad():
        given, free, misled = (
            (model.denoiser(c)(x0 + 1.5 * noise, sigma) - x0).square().mean()
            for c in (labels[:64], torch.full((64,), NO_CLASS), (labels[:64] + 1) % 10)
        )
    assert given < free < misled


CASES = [
    (draw_teacher, EDM.untrained, (1, 2, 8)),
    (draw_student, lambda: student_of(EDM.untrained()), (1, 2, 4)),
    (draw_masked, MASKED.untrained, (1, 4)),
]


@pytest.mark.parametrize(("draw", "build", "passes"), CASES)
def test_a_figure_is_of_as_many_passes_as_its_name_says(draw, build, passes, generator):
    model = build().double().eval()
    for n in passes:
        assert network_passes(model, lambda n=n: draw(model, n)(3, generator)) == n
    images = draw(model, passes[-1])(12, generator)
    assert images.shape == (12, 1, 8, 8)
    assert images.dtype == torch.int64
    assert 0 <= int(images.min()) <= int(images.max()) <= 16
    assert torch.get_default_dtype() == torch.float64
    assert next(model.parameters()).dtype == torch.float64  # a copy was drawn from


def test_one_pass_of_a_teacher_is_its_best_guess_of_everything(generator):
    model = EDM.untrained().eval()  # D is the skip connection, almost 0 at this level
    images = draw_teacher(model, 1)(5, generator)
    assert bool(((images - 8).abs() <= 1).all())


def test_the_distilled_models_data_name_their_teacher():
    student, teacher = find("digit_consistency"), find("digit_edm")
    assert "digit_edm" in student.source
    assert student.digest().startswith(teacher.digest())
    assert student.digest() != teacher.digest()


@pytest.mark.slow
def test_one_pass_of_the_student_beats_one_pass_of_the_teacher():
    real = load_digits("val").images.double().flatten(1)
    spread = {}
    for name, draw in (("digit_consistency", draw_student), ("digit_edm", draw_teacher)):
        images = draw(load_model(name), 1)(200, seed(5)).double().flatten(1)
        spread[name] = float(images.std(0).mean() / real.std(0).mean())
    assert spread["digit_edm"] < 0.9  # means of classes: too little variety
    assert 0.85 < spread["digit_consistency"] < 1.1


def test_the_network_cannot_see_what_is_hidden():
    model = MASKED.untrained()
    last(MASKED.train(model))  # weights off zero
    x = load_digits("test").images[:2]
    hidden = torch.rand(x.shape) < 0.5
    other = torch.where(hidden, 16 - x, x)
    torch.testing.assert_close(
        *(model.filler(torch.where(hidden, 17, image)) for image in (x, other))
    )
    assert not torch.equal(model.filler(x), model.filler(16 - x))


def test_training_the_masked_diffusion_raises_its_bound(generator):
    images = load_digits("train").images[:200]
    row = MASKED.but(n_steps=40, batch_size=32, lr=1e-2)
    model = row.untrained()
    bound = lambda: float(model.elbo(images, generator=generator).mean().detach()) / 64
    assert abs(bound() + math.log(17)) < 0.05  # starts at even guesses
    last(row.train(model))
    assert bound() > 0.3 - math.log(17)
