"""Paradigm 4: learn to remove noise, which is to learn the slope of log p, and sample by steps."""

from typing import TYPE_CHECKING

from genlab.on_demand import on_demand

if TYPE_CHECKING:  # what editors and type checkers read
    from genlab.core.stats import *  # noqa: F403
    from genlab.score.diffusion import *  # noqa: F403
    from genlab.score.edm import *  # noqa: F403
    from genlab.score.energy import *  # noqa: F403
    from genlab.score.exact import *  # noqa: F403
    from genlab.score.flow_matching import *  # noqa: F403
    from genlab.score.guidance import *  # noqa: F403
    from genlab.score.matching import *  # noqa: F403
    from genlab.score.samplers import *  # noqa: F403
    from genlab.score.sde import *  # noqa: F403

OFFERS = {  # module: what the package takes from it
    "genlab.core.stats": ("effective_sample_size",),
    "diffusion": (
        "DDPM", "add_noise", "alphas_bar_from_betas", "bin_log_prob", "cosine_betas", "ddpm_loss",
        "ddpm_sample", "ddpm_step", "ddpm_vlb", "ddpm_vlb_term", "ddpm_vlb_terms",
        "eps_from_score", "eps_from_v", "eps_from_x0", "linear_betas", "linear_rate_betas",
        "log_snr", "posterior_variances", "score_from_eps", "v_from_eps", "x0_from_eps",
    ),
    "edm": (
        "EDM", "LogNormal", "denoiser_from_eps", "edm_denoise", "edm_loss", "edm_precondition",
        "edm_sample", "edm_sigmas", "edm_step",
    ),
    "energy": (
        "NCE", "annealed_importance", "contrastive_loss", "contrastive_negatives", "log_mean_exp",
        "log_partition", "nce_logits", "nce_loss", "score_from_energy",
    ),
    "exact": ("exact_eps_model", "exact_flow_1d", "exact_score", "exact_velocity"),
    "flow_matching": (
        "FlowMatching", "TimedMLP", "flow_matching_loss", "flow_sample", "reflow_pairs",
        "straightness",
    ),
    "guidance": (
        "cfg_eps", "classifier_guided_eps", "drop_condition", "guided_denoiser",
        "guided_eps_model", "guided_gaussian", "text_guided_denoiser", "tilted_gaussian",
    ),
    "matching": (
        "NCSN", "LevelMLP", "annealed_langevin", "dsm_floor", "dsm_loss", "esm_loss",
        "hyvarinen_loss", "ladder_overlap", "ncsn_loss", "noise_ladder", "posterior_covariance",
        "score_from_x0", "sliced_loss", "x0_from_score",
    ),
    "samplers": (
        "ddim_invert", "ddim_sample", "ddim_step", "ddim_timesteps", "dpm_solver_2m_step",
        "dpm_solver_sample", "dpm_solver_step", "half_log_snr", "log_snr_timesteps",
    ),
    "sde": (
        "VE", "VP", "NormalPrior", "ProbabilityFlow", "Straight", "SubVP", "ode_log_prob",
        "predictor_corrector_sample", "probability_flow", "probability_flow_sample",
        "reverse_drift", "reverse_sde_sample", "score_from_eps_model", "snr_step_size",
    ),
}  # fmt: skip
__all__ = [name for names in OFFERS.values() for name in names]
__getattr__ = on_demand(__name__, OFFERS)
