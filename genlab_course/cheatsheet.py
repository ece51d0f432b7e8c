"""The cheat sheet: one page, made from the map, the kernels' docstrings and the league table.

Nothing on it is typed twice, so it cannot drift from the course; `docs/cheatsheet.md` is this page.
"""

import importlib
import inspect
import re
from collections.abc import Mapping, Sequence

from genlab.map import LESSONS, PARADIGMS, SYSTEMS, Paradigm
from genlab_course.league import COLUMNS, cells, load_league

KERNELS: Mapping[int, tuple[str, ...]] = {  # the equations of each lesson, by the code under them
    2: ("autoregressive.likelihood.sequence_log_prob", "autoregressive.decoding.apply_temperature",
        "autoregressive.likelihood.bits_per_byte"),
    3: ("core.stats.kl_categorical", "core.stats.cross_entropy", "oracles.continuous.kl_gaussian"),
    4: ("flow.transforms.flow_log_prob", "flow.coupling.couple",
        "flow.dequantization.dequantised_bound"),
    5: ("latent.elbo.elbo", "latent.elbo.importance_bound"),
    6: ("latent.elbo.reparameterize", "core.stats.kl_diag_normal",
        "latent.elbo.score_function"),
    7: ("adversarial.gan.optimal_logits", "adversarial.games.jensen_shannon",
        "adversarial.gan.non_saturating_generator_loss"),
    8: ("adversarial.gan.wgan_critic_loss", "adversarial.gan.gradient_penalty",
        "adversarial.gan.r1_penalty"),
    9: ("metrics.distances.frechet_gaussian", "metrics.distances.mmd2",
        "metrics.coverage.precision_recall"),
    10: ("score.energy.contrastive_loss", "solvers.mcmc.langevin_step", "score.energy.nce_logits"),
    11: ("score.matching.hyvarinen_loss", "score.matching.dsm_loss",
         "score.matching.x0_from_score"),
    12: ("score.diffusion.add_noise", "score.diffusion.ddpm_loss", "score.diffusion.ddpm_step"),
    13: ("score.samplers.ddim_step", "score.guidance.cfg_eps", "score.samplers.dpm_solver_2m_step"),
    14: ("score.sde.reverse_drift", "score.sde.probability_flow",
         "score.sde.ode_log_prob", "score.flow_matching.flow_matching_loss"),
    15: ("autoregressive.speculative.residual", "score.consistency.consistency_function",
         "score.masked.masked_nll"),
}  # fmt: skip

PROCEDURE = (
    "**Objective.** Cross-entropy of the next token: autoregressive. ELBO: latent-variable. A "
    "discriminator to fool: adversarial. Mean square of a noise, score or velocity: score. "
    "Likelihood of an invertible map: flow. Several: a hybrid; name each.",
    "**Sampler.** An evaluation a token: autoregressive. One evaluation: flow, latent-variable or "
    "adversarial. A loop over noise levels: score. An outer and an inner stage: a hybrid.",
    "**Costs.** Sequential: latency grows with length. Adversarial: no likelihood. Score: "
    "evaluations. A hybrid pays for each of its parts.",
    "**Place.** Put it on the map. A claim that its place does not allow (one-step diffusion, "
    "parallel autoregression) names the thing to look up.",
)


def _doc(path: str) -> str:
    module, _, name = path.rpartition(".")
    return inspect.getdoc(getattr(importlib.import_module(f"genlab.{module}"), name)) or ""


def equation(path: str) -> str:
    """The first displayed equation of a kernel's docstring, as TeX in one line."""
    found = re.search(r"\$\$(.+?)\$\$", _doc(path), re.S)
    if not found:
        raise ValueError(f"genlab.{path} has no displayed equation in its docstring")
    return " ".join(found[1].split())


def title(path: str) -> str:
    """What a kernel is: the first line of its docstring, without the full stop."""
    return _doc(path).partition("\n")[0].rstrip(".")


def cheat_sheet() -> str:
    """The page as Markdown, with the league table that ships."""
    head = ("paradigm", "$p(x)$", "objective", "sampler", "NFE", "likelihood", "pays")
    page = [
        "# The course on one page",
        "## The map",
        _table(head, [_on_the_map(p) for p in PARADIGMS]),
        "NFE: network evaluations for one sample.",
        "## Reading a release",
        "\n".join(f"{k}. {step}" for k, step in enumerate(PROCEDURE, 1)),
        "## The systems",
        _table(("system", "made of"), [(name, ", ".join(made)) for name, made in SYSTEMS.values()]),
        "## The equations, lesson by lesson",
        *(_lesson(number) for number in KERNELS),
        "## Measured on the digits",
        _table(COLUMNS, [cells(row) for row in load_league()]),
        "`=` an exact likelihood, `<=` a bound, `-` none. Fréchet distance with its error bar, to "
        "400 held-out digits; passes of the network for one sample.",
    ]
    return "\n\n".join(page) + "\n"


def _on_the_map(p: Paradigm) -> tuple[str, ...]:
    tex = p.equation.replace("|", r"\vert ")  # a bar would end the cell
    return p.name, f"${tex}$", p.objectives[0], p.draws, p.evaluations, p.likelihoods[0], p.pays


def _lesson(number: int) -> str:
    lines = [f"{title(k)} (`genlab.{k}`)\n\n$${equation(k)}$$" for k in KERNELS[number]]
    return "\n\n".join([f"### {number:02d} {LESSONS[number]}", *lines])


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
