"""Guidance by a classifier: which words pull, and how far, against finite differences."""

import torch

from genlab.core.protocols import likelihood_kind
from genlab.data.captioned import load_captioned, paint
from genlab.systems.glide_classifier import KINDS, NoisyReader, classifier_guided


def reader():
    torch.manual_seed(0)
    net = NoisyReader(8)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval().requires_grad_(False)


def noisy():
    torch.manual_seed(1)
    return torch.randn(2, 3, 16, 16), torch.tensor([0.5, 2.0])


def test_each_kind_is_a_law_over_its_words():
    net, (x, sigma) = reader(), noisy()
    none = torch.full((2, 4), -1)
    for kind, n in enumerate(KINDS):
        total = torch.zeros(2)
        for word in range(n):
            words = none.clone()
            words[:, kind] = word
            total += net.log_prob_of_words(x, sigma, words).exp()
        torch.testing.assert_close(total, torch.ones(2))


def test_kinds_add_up_and_words_that_are_not_said_count_nothing():
    net, (x, sigma) = reader(), noisy()
    words = torch.tensor([[3, 1, 2, 0], [7, 5, 0, 1]])
    alone = [torch.where(torch.arange(4) == kind, words, -1) for kind in range(4)]
    parts = sum(net.log_prob_of_words(x, sigma, w) for w in alone)
    torch.testing.assert_close(net.log_prob_of_words(x, sigma, words), parts)
    assert net.log_prob_of_words(x, sigma, torch.full((2, 4), -1)).abs().max() == 0


def test_the_pull_is_sigma_squared_times_the_slope_by_finite_differences():
    net, (x, sigma) = reader(), noisy()
    words = torch.tensor([[3, 1, 2, 0], [7, 5, -1, 1]])
    guided = classifier_guided(lambda x, s: 0 * x, net, words, guidance_scale=3.0)(x, sigma)
    torch.manual_seed(2)
    way = torch.randn_like(x)
    ahead, back = (net.log_prob_of_words(x + h * way, sigma, words) for h in (1e-5, -1e-5))
    along = (ahead - back) / 2e-5
    found = (guided * way).flatten(1).sum(1)
    torch.testing.assert_close(found, 3 * sigma**2 * along, rtol=1e-5, atol=1e-7)


def test_without_guidance_the_painter_is_left_alone():
    net, (x, sigma) = reader(), noisy()
    words = torch.tensor([[3, 1, 2, 0], [7, 5, 0, 1]])
    free = classifier_guided(lambda x, s: x / 3, net, words, guidance_scale=0.0)(x, sigma)
    torch.testing.assert_close(free, x / 3)


def test_examples_do_not_pull_one_another():
    net, (x, sigma) = reader(), noisy()
    words = torch.tensor([[3, 1, 2, 0], [7, 5, 0, 1]])
    both = classifier_guided(lambda x, s: 0 * x, net, words, guidance_scale=1.0)(x, sigma)
    one = classifier_guided(lambda x, s: 0 * x, net, words[:1], guidance_scale=1.0)
    torch.testing.assert_close(both[:1], one(x[:1], sigma[:1]))


def test_it_learns_colours_in_a_few_steps():
    torch.manual_seed(0)
    net = NoisyReader(8)
    grey, attributes = load_captioned("test", 16)
    x, words = 2 * paint(grey, attributes.colour) - 1, torch.stack(attributes, 1)
    optimizer, g = torch.optim.Adam(net.parameters(), lr=1e-2), torch.Generator().manual_seed(0)
    losses = []
    for _ in range(25):
        loss = net.loss(x[:100], cond=words[:100], generator=g)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) / 5 < losses[0] - 1


def test_a_reader_of_words_has_no_likelihood_of_pictures():
    assert likelihood_kind(reader()) == "none"


def test_the_noise_is_told_and_not_only_divided_out():
    net, (x, _) = reader(), noisy()
    little, much = torch.full((2,), 0.5), torch.full((2,), 2.0)
    as_large = x * ((1 + much**2) / (1 + little**2)).sqrt()[:, None, None, None]  # scaled alike
    for a, b in zip(net(x, little), net(as_large, much), strict=True):
        assert (a - b).abs().max() > 1e-3
