"""The cheat sheet of the course: one page, made from the map and from the kernels' own docstrings.

Nothing on it is typed twice: a lesson's equations are those that stand above the code, a row of the
map is the row that the lessons light up, a measured number is that of the league table. So the page
cannot drift from the course; `docs/cheatsheet.md` is this page, and a test compares them.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence

from genlab.map import LESSONS, PARADIGMS, SYSTEMS, Paradigm
from genlab_course.league import COLUMNS, Row, cells, load_league

KERNELS: Mapping[int, tuple[str, ...]] = {  # the equations of each lesson, by the code under them
    2: ("autoregressive.chain_rule.sequence_log_prob", "autoregressive.decoding.apply_temperature",
        "autoregressive.chain_rule.bits_per_byte"),
    3: ("core.stats.kl_categorical", "core.stats.cross_entropy", "oracles.gaussian.kl_gaussian"),
    4: ("flow.change_of_variables.flow_log_prob", "flow.coupling.couple",
        "flow.dequantization.dequantised_bound"),
    5: ("latent.elbo.elbo", "latent.elbo.importance_bound"),
    6: ("latent.reparameterize.reparameterize", "core.stats.kl_diag_normal",
        "latent.score_function.score_function"),
    7: ("adversarial.objectives.optimal_logits", "adversarial.objectives.jensen_shannon",
        "adversarial.objectives.non_saturating_generator_loss"),
    8: ("adversarial.wgan.wgan_critic_loss", "adversarial.penalties.gradient_penalty",
        "adversarial.penalties.r1_penalty"),
    9: ("metrics.frechet.frechet_gaussian", "metrics.kernel.mmd2",
        "metrics.precision_recall.precision_recall"),
    10: ("score.ebm.contrastive_loss", "solvers.mcmc.langevin_step", "score.nce.nce_logits"),
    11: ("score.matching.hyvarinen_loss", "score.matching.dsm_loss", "score.tweedie.x0_from_score"),
    12: ("score.paths.add_noise", "score.ddpm.ddpm_loss", "score.ddpm.ddpm_step"),
    13: ("score.ddim.ddim_step", "score.guidance.cfg_eps", "score.dpm_solver.dpm_solver_2m_step"),
    14: ("score.sde.reverse_drift", "score.sde.probability_flow",
         "score.ode_likelihood.ode_log_prob", "score.flow_matching.flow_matching_loss"),
    15: ("autoregressive.speculative.residual", "score.consistency.consistency_function",
         "score.masked_diffusion.masked_nll"),
}  # fmt: skip

PROCEDURE = (
    "**Objective.** Cross-entropy of the next piece: autoregressive. ELBO: latent-variable. A "
    "critic to fool: adversarial. Mean square of a noise, score or velocity: score. Exact "
    "log-likelihood of an invertible map: flow. Several: a hybrid; name each.",
    "**Sampler.** A pass a piece: autoregressive. One pass: flow, latent-variable or adversarial. "
    "A loop over noise levels: score. An outer and an inner stage: a hybrid.",
    "**Costs.** Sequential: latency grows with length. Adversarial: no likelihood. Score: passes. "
    "A hybrid pays for each of its parts.",
    "**Place.** Put it on the map. A claim that its place does not allow (one-step diffusion, "
    "parallel autoregression) names the thing to look up.",
)


def kernel(path: str) -> Callable[..., object]:
    """Import a kernel by its place in the package.

    Args:
        path: such as "score.ddim.ddim_step".

    Returns:
        The function.

    Example:
        >>> kernel("score.ddim.ddim_step").__name__
        'ddim_step'
    """
    module, _, name = path.rpartition(".")
    found: Callable[..., object] = getattr(importlib.import_module(f"genlab.{module}"), name)
    return found


def equation(path: str) -> str:
    r"""Read the first displayed equation of a kernel's docstring.

    Args:
        path: of the kernel.

    Returns:
        TeX, in one line.

    Raises:
        ValueError: its docstring has none.

    Example:
        >>> equation("latent.elbo.elbo")[:8]
        '\\log p(x'
    """
    found = re.search(r"\$\$(.+?)\$\$", inspect.getdoc(kernel(path)) or "", re.S)
    if not found:
        raise ValueError(f"genlab.{path} has no displayed equation in its docstring")
    return " ".join(found[1].split())


def title(path: str) -> str:
    """Read what a kernel is: the first line of its docstring.

    Args:
        path: of the kernel.

    Returns:
        The sentence, without its full stop.
    """
    return (inspect.getdoc(kernel(path)) or "").partition("\n")[0].rstrip(".")


def cheat_sheet(rows: list[Row] | None = None) -> str:
    """Write the page.

    Args:
        rows: of the league table; those that ship when None.

    Returns:
        Markdown, with mathematics as GitHub and JupyterLab render it.
    """
    measured = load_league() if rows is None else rows
    head = ("paradigm", "$p(x)$", "objective", "sampler", "passes", "likelihood", "pays")
    made_of = [(name, ", ".join(p.name for p in parts)) for name, parts in SYSTEMS.values()]
    page = [
        "# The course on one page",
        "## The map",
        _table(head, [_on_the_map(p) for p in PARADIGMS]),
        "## Reading a release",
        "\n".join(f"{k}. {step}" for k, step in enumerate(PROCEDURE, 1)),
        "## The systems",
        _table(("system", "made of"), made_of),
        "## The equations, lesson by lesson",
        *(_lesson(number) for number in KERNELS),
        "## Measured on the digits",
        _table(COLUMNS, [cells(row) for row in measured]),
        "`=` an exact likelihood, `<=` a bound, `-` none. Fréchet distance with its error bar, to "
        "400 held-out digits; passes of the network for one sample.",
    ]
    return "\n\n".join(page) + "\n"


def _on_the_map(p: Paradigm) -> tuple[str, ...]:
    tex = p.equation.replace("|", r"\vert ")  # a bar would end the cell
    return p.name, f"${tex}$", p.objective, p.sampler, p.passes, p.likelihood, p.pays


def _lesson(number: int) -> str:
    lines = [f"### {number:02d} {LESSONS[number]}"]
    for path in KERNELS[number]:
        lines.append(f"{title(path)} (`genlab.{path}`)\n\n$${equation(path)}$$")
    return "\n\n".join(lines)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
