"""Paradigm 4: learn to remove noise, which is to learn the slope of log p, and sample by steps."""

from genlab.score.diffusion import DDPM as DDPM
from genlab.score.diffusion import Bins as Bins
from genlab.score.diffusion import add_noise as add_noise
from genlab.score.diffusion import alphas_bar_from_betas as alphas_bar_from_betas
from genlab.score.diffusion import bin_log_prob as bin_log_prob
from genlab.score.diffusion import cosine_betas as cosine_betas
from genlab.score.diffusion import ddpm_loss as ddpm_loss
from genlab.score.diffusion import ddpm_sample as ddpm_sample
from genlab.score.diffusion import ddpm_step as ddpm_step
from genlab.score.diffusion import ddpm_vlb as ddpm_vlb
from genlab.score.diffusion import ddpm_vlb_term as ddpm_vlb_term
from genlab.score.diffusion import ddpm_vlb_terms as ddpm_vlb_terms
from genlab.score.diffusion import eps_from_score as eps_from_score
from genlab.score.diffusion import eps_from_v as eps_from_v
from genlab.score.diffusion import eps_from_x0 as eps_from_x0
from genlab.score.diffusion import linear_betas as linear_betas
from genlab.score.diffusion import linear_rate_betas as linear_rate_betas
from genlab.score.diffusion import log_snr as log_snr
from genlab.score.diffusion import noise_errors as noise_errors
from genlab.score.diffusion import noising_chain as noising_chain
from genlab.score.diffusion import noising_step as noising_step
from genlab.score.diffusion import optimal_variances as optimal_variances
from genlab.score.diffusion import posterior_mean as posterior_mean
from genlab.score.diffusion import posterior_variances as posterior_variances
from genlab.score.diffusion import score_from_eps as score_from_eps
from genlab.score.diffusion import v_from_eps as v_from_eps
from genlab.score.diffusion import x0_from_eps as x0_from_eps
from genlab.score.diffusion import x0_from_v as x0_from_v
from genlab.score.edm import EDM as EDM
from genlab.score.edm import denoiser_from_eps as denoiser_from_eps
from genlab.score.edm import edm_churn as edm_churn
from genlab.score.edm import edm_denoise as edm_denoise
from genlab.score.edm import edm_loss as edm_loss
from genlab.score.edm import edm_precondition as edm_precondition
from genlab.score.edm import edm_sample as edm_sample
from genlab.score.edm import edm_sigmas as edm_sigmas
from genlab.score.edm import edm_step as edm_step
from genlab.score.energy import EBM as EBM
from genlab.score.energy import NCE as NCE
from genlab.score.energy import PersistentChains as PersistentChains
from genlab.score.energy import ais_log_weight as ais_log_weight
from genlab.score.energy import annealed_importance as annealed_importance
from genlab.score.energy import annealed_log_prob as annealed_log_prob
from genlab.score.energy import contrastive_loss as contrastive_loss
from genlab.score.energy import contrastive_negatives as contrastive_negatives
from genlab.score.energy import effective_sample_size as effective_sample_size
from genlab.score.energy import energy_penalty as energy_penalty
from genlab.score.energy import log_mean_exp as log_mean_exp
from genlab.score.energy import log_partition as log_partition
from genlab.score.energy import nce_logits as nce_logits
from genlab.score.energy import nce_loss as nce_loss
from genlab.score.energy import score_from_energy as score_from_energy
from genlab.score.exact import exact_eps_model, exact_flow_1d, exact_score, exact_velocity
from genlab.score.flow_matching import (
    FlowMatching,
    TimedMLP,
    flow_matching_loss,
    flow_sample,
    reflow_pairs,
    straightness,
)
from genlab.score.guidance import (
    cfg_eps,
    classifier_guided_eps,
    drop_condition,
    guided_eps_model,
    guided_gaussian,
    tilted_density,
    tilted_gaussian,
)
from genlab.score.learned_snr import LevelHistogram as LevelHistogram
from genlab.score.learned_snr import scales_from_gamma as scales_from_gamma
from genlab.score.learned_snr import second_moment as second_moment
from genlab.score.learned_snr import vdm_term as vdm_term
from genlab.score.matching import NCSN as NCSN
from genlab.score.matching import LevelMLP as LevelMLP
from genlab.score.matching import annealed_langevin as annealed_langevin
from genlab.score.matching import dsm_floor as dsm_floor
from genlab.score.matching import dsm_loss as dsm_loss
from genlab.score.matching import esm_loss as esm_loss
from genlab.score.matching import hyvarinen_loss as hyvarinen_loss
from genlab.score.matching import ladder_overlap as ladder_overlap
from genlab.score.matching import ncsn_loss as ncsn_loss
from genlab.score.matching import noise_ladder as noise_ladder
from genlab.score.matching import posterior_covariance as posterior_covariance
from genlab.score.matching import rung_variance as rung_variance
from genlab.score.matching import score_from_x0 as score_from_x0
from genlab.score.matching import sliced_loss as sliced_loss
from genlab.score.matching import x0_from_score as x0_from_score
from genlab.score.samplers import ddim_invert as ddim_invert
from genlab.score.samplers import ddim_invert_step as ddim_invert_step
from genlab.score.samplers import ddim_sample as ddim_sample
from genlab.score.samplers import ddim_step as ddim_step
from genlab.score.samplers import ddim_timesteps as ddim_timesteps
from genlab.score.samplers import dpm_solver_2m_step as dpm_solver_2m_step
from genlab.score.samplers import dpm_solver_sample as dpm_solver_sample
from genlab.score.samplers import dpm_solver_step as dpm_solver_step
from genlab.score.samplers import half_log_snr as half_log_snr
from genlab.score.samplers import log_snr_timesteps as log_snr_timesteps
from genlab.score.sde import (
    VE,
    VP,
    NormalPrior,
    ProbabilityFlow,
    Straight,
    SubVP,
    ode_log_prob,
    predictor_corrector_sample,
    probability_flow,
    probability_flow_sample,
    reverse_drift,
    reverse_sde_sample,
    score_from_eps_model,
    snr_step_size,
)
