"""The rows of the labs: seeded, resumable, averaged; where they start, and what they measure."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from genlab.autoregressive.tokens import train_bpe
from genlab.data.simulators import LinearGaussian
from genlab.data.text import load_text
from genlab.systems import evaluation
from genlab.systems.evaluation import balanced_claims
from genlab.systems.npe import simulated
from genlab.systems.text_to_video import TextToVideo
from genlab.zoo import (
    MODULES,
    find,
    glide,
    language_and_image,
    npe,
    recipe,
    stylegan,
    text_to_video,
)
from genlab.zoo.recipe import Recipe

TEXT = load_text("val")[:6000]
TINY = {  # settings of rows that train in a second
    "width": 8, "d_text": 8, "n_layer": 1, "batch_size": 4, "n_steps": 4,
    "d_model": 16, "n_head": 2, "n_kv_head": 1, "d_hidden": 24, "n_tokens": 300, "context": 32,
    "short": 8, "n_simulations": 400, "d_latent": 4, "d_style": 4, "n_mapping": 1,
    "channels": (3, 3, 3), "discriminator_channels": (3, 3, 3), "discriminator_width": 4,
    "n_stills": 2, "batch_stills": 6, "inflated": False, "pretrained": False,
}  # fmt: skip
KEPT = {"latent_vae": {"width"}, "latent_dit": {"width"}}  # the shipped VAE's; a multiple of 16


def tiny(name, **changes):
    row = find(name)
    small = {k: v for k, v in TINY.items() if k in row.settings and k not in KEPT.get(name, ())}
    return row.but(**(small | changes))


def run_of(row, model):
    """The run of a row; the language model's on a short text."""
    return row.train(model, TEXT) if row.name == "language_model" else row.train(model)


LABS = ("npe", "language_model", "latent_diffusion", "glide", "stylegan", "text_to_video",
        "language_and_image")  # fmt: skip
EVERY = pytest.mark.parametrize("name", [name for lab in LABS for name in MODULES[lab]])
GLIDE = pytest.mark.parametrize("name", MODULES["glide"])


@EVERY
def test_a_model_is_the_same_every_time_and_leaves_the_global_noise_alone(name):
    before = torch.get_rng_state()
    first, second = (tiny(name).untrained().state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[key], second[key]) for key in first)


@EVERY
def test_a_run_that_is_resumed_ends_the_same_and_in_evaluation_mode(name):
    row = tiny(name)
    whole, half, again = (row.untrained() for _ in range(3))
    torch.manual_seed(5)
    list(run_of(row, whole))
    torch.manual_seed(5)
    run = run_of(row, half)
    next(run), next(run)
    state = run.state_dict()
    rest = run_of(row, again)
    rest.load_state_dict(state)
    list(rest)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    assert not whole.training or name == "stylegan"


# Neural posterior estimation


@pytest.mark.parametrize("row", npe.RECIPES, ids=lambda row: row.name)
def test_an_untrained_estimator_scores_as_the_prior_does(row, generator):
    """Its mean NLL is the prior's entropy: log 4 on the square, a normal's on the line."""
    simulator, model = row.build.args[0], row.untrained()
    theta, x = simulated(simulator, 2000, generator)
    nll = -model.log_prob(theta, cond=x)
    std = torch.tensor(getattr(simulator, "prior_std", (1.0, 1.0)))
    normal = math.log(2 * math.pi * math.e) + std.log().sum().item()
    entropy = math.log(4) if row.settings["box"] else normal
    # a pilot of 2,000 sets the scales: errors of 1/sqrt(4000) in two logarithms, then Monte Carlo
    assert abs(nll.mean().item() - entropy) < 5 * (0.03 + nll.std().item() / math.sqrt(2000))
    seen = model.standardise(x)
    assert bool((seen.mean(0).abs() < 0.2).all())
    assert bool(((seen.std(0) - 1).abs() < 0.2).all())


def test_the_kl_of_the_card_is_that_of_the_distributions():
    """A stand-in whose posterior is 1.3 times too wide: KL = 2 log 1.3 + 1/1.69 - 1, exactly."""

    class Wide:
        def log_prob(self, theta, *, cond):
            mean, cov = LinearGaussian().posterior(cond)
            return MultivariateNormal(mean, 1.69 * cov).log_prob(theta)

    found = npe._measure_linear_gaussian(LinearGaussian(), Wide())
    kl = 2 * math.log(1.3) + 1 / 1.69 - 1
    assert abs(found["kl_nats"] - kl) < 5 * found["kl_error"]


# The language model


def test_some_steps_learn_windows_are_short_first_and_the_average_ships():
    row = tiny("language_model", n_steps=40, lr=1e-2, average=0.9)
    model, lengths, losses = row.untrained(), [], []
    read = model.lm.loss
    model.lm.loss = lambda x: lengths.append(x.shape[1]) or read(x)
    for record in run_of(row, model):
        losses.append(record.loss)
        latest = model.lm.net.embedding.weight.clone()
    assert lengths == [8] * 28 + [32] * 12
    assert abs(losses[0] - math.log(301)) < 0.3  # one of 300 tokens and the begin token
    assert sum(losses[-5:]) / 5 < losses[0] - 0.5
    assert model.tokenizer.merges == train_bpe(TEXT, 300)
    assert not torch.equal(latest, model.lm.net.embedding.weight)


# GLIDE


@GLIDE
def test_a_few_steps_change_every_weight_and_the_average_ships(name):
    drop = {"p_drop": 0.5} if "p_drop" in find(name).settings else {}
    row = tiny(name, **drop)
    averaged, latest = row.untrained(), row.untrained()
    before = {key: p.detach().clone() for key, p in averaged.named_parameters()}
    assert len(list(row.train(averaged))) == 4
    still = [key for key, p in averaged.named_parameters() if torch.equal(p, before[key])]
    assert still == []
    run = row.train(latest)
    for _ in range(4):
        next(run)
    pairs = zip(latest.parameters(), averaged.parameters(), strict=True)
    assert sum(torch.equal(a, b) for a, b in pairs) < 3  # of a hundred


@pytest.fixture
def zeros(monkeypatch):
    """A classifier that reads a nought everywhere, and eight pictures a figure."""
    read = lambda: lambda grey: torch.zeros(len(grey), dtype=torch.int64)
    monkeypatch.setattr(glide, "N_DRAWN", 8)
    monkeypatch.setattr(evaluation, "digit_evaluator", read)
    monkeypatch.setattr(text_to_video, "video_evaluator", read)


def test_the_base_is_measured_at_every_scale_from_the_same_noise(zeros, monkeypatch):
    monkeypatch.setattr(glide, "SCALES", (1.0, 3.0))
    monkeypatch.setattr(glide, "LIMITED", (3.0,))
    model = tiny("glide_base").untrained().eval()
    found = glide._measure_base(model)
    names = {"digit_w1", "all_w3", "frechet_w3", "recall_w1", "slant_free", "all_limited_w3"}
    assert names <= found.keys()
    assert len(found) == 3 * 8 + 5
    assert glide._measure_base(model) == found


# StyleGAN


@pytest.fixture
def x(generator):
    return torch.randn(20, 1, 16, 16, generator=generator)


def test_the_penalty_is_paid_in_every_third_step(x):
    row, paid = tiny("stylegan", interval=3), []
    gan = row.untrained()
    penalty = gan.penalty
    gan.penalty = lambda x: paid.append(run.step) or penalty(x)
    run = row.train(gan, x)
    list(run)
    assert paid == [0, 3]


@pytest.mark.parametrize("betas", [(0.0, 0.99), (0.3, 0.9)])
def test_both_players_step_with_the_betas_of_the_row(x, betas, monkeypatch):
    asked = []
    game = recipe.fit_adversarial
    monkeypatch.setattr(recipe, "fit_adversarial", lambda *a, **k: asked.append(k) or game(*a, **k))
    row = tiny("stylegan", betas=betas)
    row.train(row.untrained(), x)
    assert [(k["betas"], k["n_critic"]) for k in asked] == [(betas, 1)]
    assert find("stylegan").settings["betas"] == (0.0, 0.99)


def test_no_generator_has_seen_the_classifiers_digits_nor_the_held_out():
    seen = {row.numpy().tobytes() for row in stylegan.grey_digits().flatten(1)}
    for part in ("judge", "test"):
        others = [row.numpy().tobytes() for row in stylegan.grey_digits(part).flatten(1)]
        assert sum(row in seen for row in others) == 0
    x = stylegan.grey_digits("test")
    assert (x.min(), x.max()) == (-1, pytest.approx(1, abs=0.02))


# Text to video


@pytest.mark.parametrize(
    ("module", "setting", "change"),
    [(text_to_video, "inflated", "inflate"), (language_and_image, "pretrained", "start_from")],
)
def test_it_starts_inflated_from_the_shipped_image_model(monkeypatch, module, setting, change):
    seen = []
    monkeypatch.setattr(module, change, lambda *pair: seen.append(pair))
    monkeypatch.setattr(Recipe, "load", lambda row: row.name)
    row = tiny(module.RECIPES[0].name, **{setting: True})
    model = row.untrained()
    row.train(model)
    assert seen == [(getattr(model, "painter", model), "glide_base")]


@pytest.mark.parametrize("warmup", [2, 4])
def test_both_parts_of_a_video_run_warm_up_as_the_row_says(monkeypatch, warmup):
    asked, train = [], text_to_video.by_loss
    monkeypatch.setattr(
        text_to_video, "by_loss", lambda *a, **k: asked.append(k["plan"]) or train(*a, **k)
    )
    row = tiny("text_to_video", n_steps=20, n_stills=10, warmup=warmup, lr=1.0)
    row.train(row.untrained())
    rises = [asked[0].lr(k) for k in (0, 10)]  # the first step of each part
    assert rises == pytest.approx([1 / warmup] * 2)
    assert find("text_to_video").settings["warmup"] == 50


def test_stills_come_first_and_then_videos(monkeypatch):
    row, shapes = tiny("text_to_video", batch_size=2), []
    model = row.untrained()
    plain = model.net.forward
    monkeypatch.setattr(
        model.net, "forward", lambda x, *a, **k: shapes.append(x.shape[:3]) or plain(x, *a, **k)
    )
    list(row.train(model))
    assert shapes == 2 * [(6, 3, 1)] + 2 * [(2, 3, 8)]


def test_videos_of_the_card_are_of_single_precision_and_share_noise_where_asked(monkeypatch):
    model, claims = tiny("text_to_video").untrained().double(), balanced_claims(2)
    videos = text_to_video.draw_videos(model, claims)
    assert videos.dtype == torch.float32
    assert torch.equal(videos, text_to_video.draw_videos(model, claims))
    assert torch.get_default_dtype() == torch.float64
    monkeypatch.setattr(TextToVideo, "sample", lambda self, captions, *, noise, **options: noise)
    shared, apart = (
        text_to_video.draw_videos(model, claims, shared=same) for same in (True, False)
    )
    assert torch.equal(shared, shared[:, :, :1].expand_as(shared))
    assert not torch.equal(apart, apart[:, :, :1].expand_as(apart))
    assert not torch.equal(shared, shared[:, :1].expand_as(shared))
    assert not torch.equal(shared[0], shared[1])


# Language and image


class Oracle:
    """A language model that knows the distribution, with `off` outside of it."""

    def __init__(self, truth, off):
        self.truth, self.off = truth, off

    def log_prob(self, rows):
        return (self.truth.p * (1 - self.off)).log()


@pytest.mark.parametrize("off", [0.0, 0.3])
def test_leaving_the_grammar_costs_what_it_must(off):
    truth = language_and_image.training_captions()
    kl, found = language_and_image.text_gap(Oracle(truth, off), truth)
    assert kl == pytest.approx(-math.log(1 - off), abs=1e-12)
    assert found == pytest.approx(off, abs=1e-12)


def test_an_untrained_model_is_far_from_the_distribution():
    """It gives about log 30 nats to each token; the captions have 5 to 7 of them."""
    truth = language_and_image.training_captions()
    kl, off = language_and_image.text_gap(tiny("language_and_image").untrained().lm, truth)
    entropy = -(truth.p * truth.p.log()).sum().item()
    assert 4 * math.log(30) - entropy < kl < 7 * math.log(30) - entropy
    assert off > 0.999


def test_a_denoiser_starts_as_the_pretrained_one():
    """Which has a text encoder; that one is left behind."""
    torch.manual_seed(1)
    sizes = {"width": 8, "mults": (1, 2), "patch": 2, "sigma_data": 0.5}
    pretrained = glide.glide_base(16, d_text=16, n_layer=1, **sizes)
    with torch.no_grad():
        for p in pretrained.parameters():
            p.add_(0.1 * torch.randn_like(p))  # the zero-started layers, too
    model = tiny("language_and_image").untrained()
    before = {name: w.clone() for name, w in model.lm.state_dict().items()}
    language_and_image.start_from(model.painter, pretrained)
    x, sigma = torch.randn(2, 3, 16, 16), torch.tensor([0.5, 3.0])
    for given in (torch.randn(2, 7, 16), None):
        mine = model.painter.denoiser(given)(x, sigma)
        torch.testing.assert_close(mine, pretrained.denoiser(given)(x, sigma))
    assert all(torch.equal(w, before[name]) for name, w in model.lm.state_dict().items())
