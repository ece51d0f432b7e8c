"""Exercises of lesson 07: GANs, the minimax game.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab_course.grading import Exercise, Mistake, Prediction, bank

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]  # of a discriminator, real and fake examples

SLOPE = Prediction("07.predict-slope", choices=("1", "10", "99"), unit="times")
GAME = Prediction("07.predict-game", choices=("they settle", "they circle", "they leave"))
FLAT = Prediction("07.predict-flat", choices=("1", "1.5", "5"), unit="times")


# 07.best-discriminator: D* from the two probabilities
_P, _Q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.5, 0.3]).double()
_R, _S = torch.tensor([0.5, 0.5]).double(), torch.tensor([0.7, 0.3]).double()

BEST_DISCRIMINATOR = Exercise(
    id="07.best-discriminator",
    right=lambda p, q: p / (p + q),
    cases=((_P, _Q), (_R, _S)),
    mistakes=Mistake.pairs(
        lambda p, q: q / (p + q),
        "you gave the probability of fake; D is the probability of real.",
        lambda p, q: p / q,
        "you gave the odds of real against fake; a probability lies between 0 and 1.",
        lambda p, q: (p / q).log(),
        "this is the best logit; one function still turns it into a probability.",
        lambda p, q: torch.sigmoid(p - q),
        "you squashed the difference of the probabilities; take that of their logarithms.",
        lambda p, q: 2 * p / (p + q),
        "you divided by the mean of p and q; then some of your numbers exceed 1.",
        lambda p, q: (p > q).double(),
        "you made the discriminator certain; where both have mass that costs infinitely much.",
        lambda p, q: p / (p + q).sum(),
        "you divided by the sum over all outcomes; each outcome is decided by itself.",
        lambda p, q: p / (p - q),
        "a sign: the slope of log(1 - D) is -1 / (1 - D).",
    ),
)


# 07.slopes: of the two generator losses, in the logit
SLOPES = Exercise(
    id="07.slopes",
    right=lambda d: (-d, -(1 - d)),
    cases=((0.01,), (0.3,), (0.9,)),
    mistakes=Mistake.pairs(
        lambda d: (-(1 - d), -d),
        "you exchanged the two losses: which one is flat against a discriminator that is sure?",
        lambda d: (d, 1 - d),
        "the sizes fit and the signs do not: a more believable sample lowers both losses.",
        lambda d: (-1 / (1 - d), -1 / d),
        "you differentiated in D; the network's output is the logit, so the chain goes on.",
        lambda d: (-d, 1 - d),
        "the second loss has a minus in front: a larger logit lowers it.",
        lambda d: (d, -(1 - d)),
        "log(1 - D) falls when the logit grows; your first slope has the wrong sign.",
        lambda d: (-d * (1 - d), -d * (1 - d)),
        "you differentiated D itself and forgot the logarithm in front of it.",
        lambda d: (-d * (1 - d) ** 2, -(d**2) * (1 - d)),
        "you multiplied where the slope of a logarithm divides.",
    ),
)


# 07.losses: both players' losses from logits
def losses(l_real: Tensor, l_fake: Tensor) -> tuple[Tensor, Tensor]:
    """The discriminator's loss and the generator's non-saturating one, means over the batch."""
    of_discriminator = F.softplus(-l_real).mean() + F.softplus(l_fake).mean()
    of_generator = F.softplus(-l_fake).mean()
    return of_discriminator, of_generator


def _logits(seed: int, *sure: float) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, 5, generator=g, dtype=torch.float64) + 0.4
    for place, value in enumerate(sure):
        real[place], fake[place] = value, value / 2
    return real.requires_grad_(), fake.requires_grad_()


def logarithm_of_a_sigmoid(l_real, l_fake):
    d_real, d_fake = torch.sigmoid(l_real), torch.sigmoid(l_fake)
    return -(d_real.log().mean() + (1 - d_fake).log().mean()), -d_fake.log().mean()


def exchanged_real_and_fake(l_real, l_fake):
    return F.softplus(l_real).mean() + F.softplus(-l_fake).mean(), F.softplus(-l_fake).mean()


def minimax_for_the_generator(l_real, l_fake):
    of_discriminator = F.softplus(-l_real).mean() + F.softplus(l_fake).mean()
    return of_discriminator, -F.softplus(l_fake).mean()


def generator_wants_to_be_caught(l_real, l_fake):
    of_discriminator = F.softplus(-l_real).mean() + F.softplus(l_fake).mean()
    return of_discriminator, F.softplus(l_fake).mean()


def summed_over_the_batch(l_real, l_fake):
    of_discriminator = F.softplus(-l_real).sum() + F.softplus(l_fake).sum()
    return of_discriminator, F.softplus(-l_fake).sum()


def averaged_over_both_batches(l_real, l_fake):
    of_discriminator = (F.softplus(-l_real).mean() + F.softplus(l_fake).mean()) / 2
    return of_discriminator, F.softplus(-l_fake).mean()


def gave_the_value(l_real, l_fake):
    value = F.logsigmoid(l_real).mean() + F.logsigmoid(-l_fake).mean()
    return value, F.softplus(-l_fake).mean()


def forgot_the_fakes(l_real, l_fake):
    return F.softplus(-l_real).mean(), F.softplus(-l_fake).mean()


def took_logits_for_probabilities(l_real, l_fake):
    return -(l_real.log().mean() + (1 - l_fake).log().mean()), -l_fake.log().mean()


def one_number_an_example(l_real, l_fake):
    return F.softplus(-l_real) + F.softplus(l_fake), F.softplus(-l_fake)


LOSSES = Exercise(
    id="07.losses",
    right=losses,
    cases=(_logits(0), _logits(1, 30.0, -20.0), _logits(2, 2000.0, -2000.0)),
    mistakes=Mistake.pairs(
        logarithm_of_a_sigmoid,
        "right for moderate logits, and infinite (or nan) once the network is sure: the sigmoid "
        "rounds to 0 or 1 before the logarithm sees it. softplus and logsigmoid do both at once.",
        exchanged_real_and_fake,
        "you exchanged real and fake in the discriminator's loss: it would call the data fake.",
        minimax_for_the_generator,
        "that is the generator's loss of the game (1), which is flat for recognised fakes; "
        "the non-saturating one is asked for.",
        generator_wants_to_be_caught,
        "your generator wants to be recognised: its loss should fall when l_fake grows.",
        summed_over_the_batch,
        "you summed over the batch; its mean was asked for.",
        averaged_over_both_batches,
        "you averaged over real and fake together (as binary cross-entropy on all of them does); "
        "(1) adds the two means.",
        gave_the_value,
        "the first number is the value V, which the discriminator wants large; its loss is -V.",
        forgot_the_fakes,
        "the discriminator's loss has two parts; you left out the fakes.",
        took_logits_for_probabilities,
        "these are logits: any real number, not yet probabilities.",
        one_number_an_example,
        "this is one number for each example; take the mean over the batch.",
    ),
)


# 07.round: one turn each
def game_round(
    generator: nn.Module, discriminator: nn.Module,
    opt_g: torch.optim.Optimizer, opt_d: torch.optim.Optimizer,
    x: Tensor, z: Tensor, z_new: Tensor, d_loss: Loss, g_loss: Loss,
) -> tuple[float, float]:  # fmt: skip
    """One step of the discriminator, then one of the generator; both losses as numbers."""
    fake = generator(z).detach()  # the discriminator's turn: the generator holds still
    loss_d = d_loss(discriminator, x, fake)
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()

    loss_g = g_loss(discriminator, x, generator(z_new))  # the gradient passes through D
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def never_cleared(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(discriminator, x, generator(z).detach())
    loss_d.backward()
    opt_d.step()
    loss_g = g_loss(discriminator, x, generator(z_new))
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def cleared_too_early(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(discriminator, x, generator(z).detach())
    loss_d.backward()
    opt_d.step()
    opt_d.zero_grad()  # <- the generator's turn fills them again
    loss_g = g_loss(discriminator, x, generator(z_new))
    loss_g.backward()
    opt_g.step()
    opt_g.zero_grad()
    return loss_d.item(), loss_g.item()


def not_detached_and_not_cleared(
    generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss
):
    opt_d.zero_grad()
    opt_g.zero_grad()
    loss_d = d_loss(discriminator, x, generator(z))  # <-
    loss_d.backward()
    opt_d.step()
    loss_g = g_loss(discriminator, x, generator(z_new))
    loss_g.backward()  # <- adds to what the discriminator's turn left there
    opt_g.step()
    return loss_d.item(), loss_g.item()


def same_noise_twice(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(discriminator, x, generator(z).detach())
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = g_loss(discriminator, x, generator(z))  # <-
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def generator_first(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_g = g_loss(discriminator, x, generator(z_new))
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    loss_d = d_loss(discriminator, x, generator(z).detach())
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_d.item(), loss_g.item()


def both_at_once(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(discriminator, x, generator(z).detach())
    opt_d.zero_grad()
    loss_d.backward()
    step_of_d = [p.grad.clone() for p in discriminator.parameters()]
    loss_g = g_loss(discriminator, x, generator(z_new))  # <- against the old discriminator
    opt_g.zero_grad()
    loss_g.backward()
    for p, grad in zip(discriminator.parameters(), step_of_d, strict=True):
        p.grad = grad
    opt_d.step()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def both_move_in_both_turns(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(discriminator, x, generator(z).detach())
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = g_loss(discriminator, x, generator(z_new))
    opt_g.zero_grad()
    opt_d.zero_grad()
    loss_g.backward()
    opt_g.step()
    opt_d.step()  # <- the discriminator helps its opponent
    return loss_d.item(), loss_g.item()


def generator_is_cut_off(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(discriminator, x, generator(z).detach())
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = g_loss(discriminator, x, generator(z_new).detach())  # <-
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def discriminator_never_steps(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(discriminator, x, generator(z).detach())
    opt_d.zero_grad()
    loss_d.backward()
    loss_g = g_loss(discriminator, x, generator(z_new))
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def fake_for_real(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    fake = generator(z).detach()
    loss_d = d_loss(discriminator, fake, x)  # <-
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = g_loss(discriminator, generator(z_new), x)
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def not_detached(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(discriminator, x, generator(z))  # <-
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = g_loss(discriminator, x, generator(z_new))
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def _after_two_rounds(answer: Callable[..., Any]) -> tuple[Tensor, Any, list[int]]:
    """Both players' weights after two rounds, what is returned, backward passes through G."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    discriminator = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1), nn.Flatten(0))
    discriminator = discriminator.double()
    opt_g = torch.optim.SGD(generator.parameters(), lr=0.3)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr=0.5)
    passes = [0]

    def count(grad: Tensor) -> None:
        passes[0] += 1

    list(generator.parameters())[-1].register_hook(count)

    def d_loss(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return losses(network(real), network(fake))[0]

    def g_loss(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return losses(network(real), network(fake))[1]

    g = torch.Generator().manual_seed(1)
    found = None
    for _ in range(2):
        x, z, z_new = torch.randn(3, 6, 2, generator=g, dtype=torch.float64)
        found = answer(
            generator, discriminator, opt_g, opt_d, x + 1, z, z_new, d_loss, g_loss
        )  # fmt: skip
    weights = [p.detach().flatten() for net in (generator, discriminator) for p in net.parameters()]
    return torch.cat(weights), found, passes


_WRONG_ROUNDS = (
    (never_cleared,
     "gradients add up until they are cleared: zero_grad() is missing, and each step uses all "
     "gradients since the start."),
    (cleared_too_early,
     "you clear after each player's step, but the generator's backward pass then fills the "
     "discriminator's gradients again. Clear right before backward()."),
    (not_detached_and_not_cleared,
     "the fakes of the discriminator's turn are not detached, so its backward pass leaves "
     "gradients in the generator, and those are added to the generator's own."),
    (same_noise_twice,
     "both turns use the noise z; the generator's turn draws its own, z_new."),
    (generator_first,
     "the generator moved first; the discriminator answers first."),
    (both_at_once,
     "both moved at once: the generator should face the discriminator that has just moved."),
    (both_move_in_both_turns,
     "in the generator's turn you also stepped with opt_d: the discriminator helps its opponent."),
    (generator_is_cut_off,
     "in the generator's turn the fakes are detached, so nothing reaches the generator. Detach "
     "them in the discriminator's turn only."),
    (discriminator_never_steps, "the discriminator never moves: opt_d.step() is missing."),
    (fake_for_real,
     "real and fake are exchanged: the losses want the discriminator, then x, then the fakes."),
)  # fmt: skip


def _state(answer: Callable[..., Any]) -> Tensor | None:
    try:
        return _after_two_rounds(answer)[0]
    except RuntimeError:  # of a mistake that torch refuses
        return None


def _judge_round(answer: Callable[..., Any]) -> str:
    raw = getattr(answer, "__wrapped__", answer)  # the other one takes a missing return for a blank
    try:
        weights, found, passes = _after_two_rounds(raw)
    except RuntimeError as error:
        if "does not require grad" in str(error):
            return _WRONG_ROUNDS[7][1]
        if "inplace operation" in str(error) or "second time" in str(error):
            return (
                "a backward pass meets a discriminator that has moved since its forward pass: call "
                "it again on the generator's new samples."
            )
        raise
    if torch.allclose(weights, _after_two_rounds(game_round)[0]):
        if passes[0] > 2:
            return (
                "the weights are right, but the discriminator's backward pass ran through the "
                "generator too, for nothing: detach the fakes in its turn."
            )
        return _judge_returned(found)
    for wrong, says in _WRONG_ROUNDS:
        other = _state(wrong)
        if other is not None and torch.allclose(weights, other):
            return says
    fresh = _state(lambda *given: (0.0, 0.0))
    if fresh is not None and torch.allclose(weights, fresh):
        _after_two_rounds(answer)  # a blank ends here
        return "neither network has moved: each player needs zero_grad(), backward() and step()."
    return (
        "the weights after two rounds differ from the right ones. First the discriminator's turn, "
        "on x and detached fakes; then the generator's, on new fakes; each clears its gradients, "
        "calls backward() and steps."
    )


def _judge_returned(found: Any) -> str:
    expected = _after_two_rounds(game_round)[1]
    if found is None:
        return (
            "both networks move as they should; return the two losses, the discriminator's first."
        )
    several = isinstance(found, tuple | list)
    if several and any(isinstance(value, Tensor) and value.requires_grad for value in found):
        return "return the losses as numbers, with .item(): a tensor would keep its graph alive."
    try:
        numbers = [float(value) for value in found]
    except (TypeError, ValueError):
        return (
            "both networks move as they should; return two numbers, the discriminator's loss first."
        )
    if len(numbers) != 2 or abs(numbers[0] - expected[0]) + abs(numbers[1] - expected[1]) > 1e-6:
        return "both networks move as they should; return loss_d and loss_g, in this order."
    return ""


ROUND = Exercise(
    id="07.round",
    right=game_round,
    judge=_judge_round,
    mistakes=tuple(Mistake(wrong, says) for wrong, says in _WRONG_ROUNDS),
)


# 07.coverage: repair a measure that a blob passes
def coverage(x: Tensor, centres: Tensor, std: float) -> int:
    """How many modes hold at least 1 % of the samples within three standard deviations."""
    distance, nearest = torch.cdist(x, centres).min(1)  # (n,), (n,)
    nearest = nearest[distance < 3 * std]  # a sample between the modes belongs to none
    fraction = nearest.bincount(minlength=len(centres)) / len(x)
    return int((fraction >= 0.01).sum())


_CENTRES = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]], dtype=torch.float64)


def _crowd(n: tuple[int, ...], spread: float, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    centres = _CENTRES.repeat_interleave(torch.tensor(n), 0)
    angle = 2 * torch.pi * torch.rand(len(centres), generator=g, dtype=torch.float64)
    return centres + spread * torch.stack([angle.cos(), angle.sin()], 1)


_COVERAGES = (
    (_crowd((60, 60, 60, 60), 0.4, 0), _CENTRES, 0.2),  # four modes
    (_crowd((60, 60, 60, 60), 1.2, 1), _CENTRES, 0.2),  # rings around them: none
    (torch.cat([_crowd((200, 40, 0, 0), 0.3, 2), _crowd((0, 0, 60, 0), 0.9, 3)]), _CENTRES, 0.2),
    (_crowd((297, 2, 100, 1), 0.5, 4), _CENTRES, 0.2),  # two of them hold less than 1 %
    (torch.cat([_crowd((30, 4, 0, 0), 0.1, 5), _crowd((0, 0, 0, 600), 1.0, 6)]), _CENTRES, 0.1),
    (
        torch.cat([_crowd((60, 60, 60, 0), 0.3, 7), _crowd((0, 0, 0, 20), 0.3, 8) + 8]),
        _CENTRES,
        0.2,
    ),
)


def counted_every_sample(x, centres, std):
    _, nearest = torch.cdist(x, centres).min(1)
    fraction = nearest.bincount(minlength=len(centres)) / len(x)
    return int((fraction >= 0.01).sum())


def within_one_standard_deviation(x, centres, std):
    distance, nearest = torch.cdist(x, centres).min(1)
    fraction = nearest[distance < std].bincount(minlength=len(centres)) / len(x)
    return int((fraction >= 0.01).sum())


def divided_by_those_inside(x, centres, std):
    distance, nearest = torch.cdist(x, centres).min(1)
    nearest = nearest[distance < 3 * std]
    fraction = nearest.bincount(minlength=len(centres)) / max(len(nearest), 1)
    return int((fraction >= 0.01).sum())


def a_single_sample_is_enough(x, centres, std):
    distance, nearest = torch.cdist(x, centres).min(1)
    return len(nearest[distance < 3 * std].unique())


def kept_those_outside(x, centres, std):
    distance, nearest = torch.cdist(x, centres).min(1)
    fraction = nearest[distance > 3 * std].bincount(minlength=len(centres)) / len(x)
    return int((fraction >= 0.01).sum())


def three_whole_units(x, centres, std):
    distance, nearest = torch.cdist(x, centres).min(1)
    fraction = nearest[distance < 3].bincount(minlength=len(centres)) / len(x)
    return int((fraction >= 0.01).sum())


def counted_the_samples(x, centres, std):
    distance, _ = torch.cdist(x, centres).min(1)
    return int((distance < 3 * std).sum())


COVERAGE = Exercise(
    id="07.coverage",
    right=coverage,
    cases=_COVERAGES,
    mistakes=Mistake.pairs(
        counted_every_sample,
        "a sample still counts for its nearest mode however far away it lies: the blob passes.",
        within_one_standard_deviation,
        "you asked for one standard deviation; three were asked for.",
        divided_by_those_inside,
        "you divided by the samples that lie inside; 1 % of *all* samples is the threshold.",
        a_single_sample_is_enough,
        "one sample is enough for you; a mode should hold 1 % of them.",
        kept_those_outside,
        "you kept the samples that lie outside.",
        three_whole_units,
        "the distance is measured in standard deviations: compare with 3 * std.",
        counted_the_samples,
        "you counted samples; the modes that hold enough of them are asked for.",
    ),
)


# 07.r1: the penalty
def r1(discriminator: nn.Module, x: Tensor, gamma: float) -> Tensor:
    """Half of gamma times the mean squared slope of the logit, at the examples x."""
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma / 2 * slope.flatten(1).square().sum(1).mean()


def _penalised(seed: int, n: int, gamma: float) -> tuple[Any, ...]:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))
    return net.double(), torch.randn(n, 1, 2, 2, dtype=torch.float64), gamma


def slope_without_its_square(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma / 2 * slope.flatten(1).square().sum(1).sqrt().mean()


def forgot_the_half(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma * slope.flatten(1).square().sum(1).mean()


def forgot_gamma(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(1).mean()


def mean_over_the_pixels(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma / 2 * slope.square().mean()


def sum_over_the_batch(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma / 2 * slope.square().sum()


def slope_of_the_mean_logit(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).mean(), x, create_graph=True)
    return gamma / 2 * slope.flatten(1).square().sum(1).mean()


def slope_of_the_probability(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sigmoid().sum(), x, create_graph=True)
    return gamma / 2 * slope.flatten(1).square().sum(1).mean()


def held_the_slope_at_one(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma / 2 * (slope.flatten(1).square().sum(1).sqrt() - 1).square().mean()


def punished_the_logit(discriminator, x, gamma):
    return gamma / 2 * discriminator(x).square().mean()


def punished_the_weights(discriminator, x, gamma):
    return gamma / 2 * sum(p.square().sum() for p in discriminator.parameters())


def graph_not_kept(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x)
    return gamma / 2 * slope.flatten(1).square().sum(1).mean()


def sum_over_everything_squared(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma / 2 * slope.norm().square()


def one_number_a_picture(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma / 2 * slope.flatten(1).square().sum(1)


_WRONG_R1 = Mistake.pairs(
    slope_without_its_square,
    "this is the mean slope; the penalty takes its square.",
    forgot_the_half,
    "the factor one half is missing: gamma / 2.",
    forgot_gamma,
    "the weight gamma / 2 is missing.",
    mean_over_the_pixels,
    "you averaged over the pixels as well; the squared length of a gradient is a *sum* over "
    "them, and only the examples are averaged.",
    sum_over_the_batch,
    "you summed over the examples; the penalty is their mean.",
    slope_of_the_mean_logit,
    "you differentiated the mean of the logits, which divides each slope by the batch size. "
    "Each logit depends on its own x alone, so differentiate their sum.",
    slope_of_the_probability,
    "you differentiated the probability; (10) has the slope of the logit.",
    held_the_slope_at_one,
    "you pull the slope towards 1, as lesson 08 will; R1 pulls it towards 0.",
    punished_the_logit,
    "you punished the logit itself; its slope in x is meant.",
    punished_the_weights,
    "this is weight decay: it punishes the weights, not the slope in x.",
    sum_over_everything_squared,
    "you summed over the examples; the penalty is their mean.",
    one_number_a_picture,
    "this is one number for each example; return their mean.",
)
_CASES_R1 = (_penalised(0, 3, 1.0), _penalised(1, 6, 0.3))


def _values(answer: Callable[..., Any]) -> list[Tensor]:
    return [torch.as_tensor(answer(net, x.clone(), gamma)).detach() for net, x, gamma in _CASES_R1]


def _agree(first: list[Tensor], second: list[Tensor]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(a.shape == b.shape and torch.allclose(a.double(), b.double()) for a, b in pairs)


def _judge_r1(answer: Callable[..., Any]) -> str:
    found, right = _values(answer), _values(r1)
    if not _agree(found, right):
        for mistake in _WRONG_R1:
            if _agree(found, _values(mistake.wrong)):
                return mistake.says
        if found[0].shape:
            return (
                f"return one number, the mean over the batch; yours has shape {(*found[0].shape,)}."
            )
        times = ", ".join(f"{float(f / r):.3g}" for f, r in zip(found, right, strict=True))
        return f"yours is {times} times (10) on two batches, of 3 pictures and of 6."
    net, x, gamma = _CASES_R1[1]
    weights = [p for p in net.parameters() if p.ndim == 2]
    wanted = torch.autograd.grad(r1(net, x, gamma), weights)
    value = answer(net, x.clone(), gamma)
    followed = isinstance(value, Tensor) and value.requires_grad
    got = torch.autograd.grad(value, weights, allow_unused=True) if followed else (None, None)
    if any(g is None or not torch.allclose(g, w) for g, w in zip(got, wanted, strict=True)):
        return (
            "the value is right, but the discriminator cannot learn from it: the slope needs a "
            "graph of its own, which torch.autograd.grad(..., create_graph=True) keeps; and return "
            "a tensor, not a number."
        )
    plane = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1), nn.Flatten(0)).double()
    points = torch.randn(5, 2, dtype=torch.float64)
    if not torch.allclose(answer(plane, points.clone(), gamma), r1(plane, points, gamma)):
        return "right for pictures, but not for points in the plane, x of shape (n, 2)."
    return ""


R1 = Exercise(id="07.r1", right=r1, judge=_judge_r1, mistakes=_WRONG_R1)


# 07.relativistic: the pair of losses
def pair_losses(l_real: Tensor, l_fake: Tensor) -> tuple[Tensor, Tensor]:
    """Relativistic losses of discriminator and generator, means over the pairs."""
    gap = l_real - l_fake
    return F.softplus(-gap).mean(), F.softplus(gap).mean()


def paired_both_the_same_way(l_real, l_fake):
    gap = l_real - l_fake
    return F.softplus(-gap).mean(), F.softplus(-gap).mean()


def exchanged_the_players(l_real, l_fake):
    gap = l_real - l_fake
    return F.softplus(gap).mean(), F.softplus(-gap).mean()


def gap_of_the_means(l_real, l_fake):
    gap = l_real.mean() - l_fake.mean()
    return F.softplus(-gap), F.softplus(gap)


def gap_to_the_mean(l_real, l_fake):
    real, fake = l_real - l_fake.mean(), l_fake - l_real.mean()
    return (F.softplus(-real) + F.softplus(fake)).mean(), (
        F.softplus(real) + F.softplus(-fake)
    ).mean()


def gap_of_the_probabilities(l_real, l_fake):
    gap = l_real.sigmoid() - l_fake.sigmoid()
    return F.softplus(-gap).mean(), F.softplus(gap).mean()


def kept_the_old_generator(l_real, l_fake):
    gap = l_real - l_fake
    return F.softplus(-gap).mean(), F.softplus(-l_fake).mean()


def every_real_with_every_fake(l_real, l_fake):
    gap = l_real[:, None] - l_fake
    return F.softplus(-gap).mean(), F.softplus(gap).mean()


def zero_sum(l_real, l_fake):
    gap = l_real - l_fake
    return F.softplus(-gap).mean(), -F.softplus(-gap).mean()


def logarithm_of_the_pair(l_real, l_fake):
    gap = torch.sigmoid(l_real - l_fake)
    return -gap.log().mean(), -(1 - gap).log().mean()


def summed_over_the_pairs(l_real, l_fake):
    gap = l_real - l_fake
    return F.softplus(-gap).sum(), F.softplus(gap).sum()


def one_number_a_pair(l_real, l_fake):
    gap = l_real - l_fake
    return F.softplus(-gap), F.softplus(gap)


RELATIVISTIC = Exercise(
    id="07.relativistic",
    right=pair_losses,
    cases=(_logits(3), _logits(4, 30.0, -20.0), _logits(5, 3000.0, -3000.0)),
    mistakes=Mistake.pairs(
        paired_both_the_same_way,
        "both players want the same: the generator should make the *fake* look more real.",
        exchanged_the_players,
        "you exchanged the players: the discriminator wants the real one of a pair to win.",
        gap_of_the_means,
        "you compared the mean logits; compare the two of each pair, then average.",
        gap_to_the_mean,
        "each logit against the *mean* of the others is a relative of this loss (the relativistic "
        "average GAN); here one real and one fake example are a pair.",
        gap_of_the_probabilities,
        "you compared probabilities; the difference of the logits is meant.",
        kept_the_old_generator,
        "the generator's loss still ignores the real examples.",
        every_real_with_every_fake,
        "you paired every real example with every fake one: an honest estimate with n^2 pairs. "
        "Here the i-th is paired with the i-th.",
        zero_sum,
        "your generator plays minus the discriminator's loss, which is flat once the discriminator "
        "is sure; it should hope for the fake to win, as in the non-saturating loss.",
        logarithm_of_the_pair,
        "right for moderate logits, and infinite once the network is sure: use softplus.",
        summed_over_the_pairs,
        "you summed over the pairs; their mean was asked for.",
        one_number_a_pair,
        "this is one number for each pair; take the mean.",
    ),
)


# 07.pearson, in Going further: the conjugate of f(u) = (u - 1)^2
def conjugate(t: float) -> float:
    """The largest u t - (u - 1)^2 over all u."""
    return t + t**2 / 4


PEARSON = Exercise(
    id="07.pearson",
    right=conjugate,
    cases=((0.5,), (-1.2,), (2.0,)),
    mistakes=Mistake.pairs(
        lambda t: t**2 / 4,
        "you shifted u by 1 and forgot it again: at the best u, the product u t has a part t.",
        lambda t: 1 + t / 2,
        "this is the best u; put it back into u t - f(u).",
        lambda t: -t - t**2 / 4,
        "the sign: the conjugate is the largest value of u t - f(u), not its negative.",
        lambda t: t + t**2 / 2,
        "you forgot to subtract f at the best u.",
        lambda t: (t - 1) ** 2,
        "this is f itself, at t.",
    ),
)

EXERCISES = bank(globals())
