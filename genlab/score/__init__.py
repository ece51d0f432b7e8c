"""Paradigm 4: learn to remove noise, which is to learn the slope of log p, and sample by steps."""

from genlab.score.consistency import ConsistencyModel as ConsistencyModel
from genlab.score.consistency import Distillation as Distillation
from genlab.score.consistency import consistency_distillation_loss as consistency_distillation_loss
from genlab.score.consistency import consistency_function as consistency_function
from genlab.score.consistency import consistency_precondition as consistency_precondition
from genlab.score.consistency import consistency_sample as consistency_sample
from genlab.score.consistency import exact_consistency_1d as exact_consistency_1d
from genlab.score.diffusion import (
    DDPM,
    add_noise,
    alphas_bar_from_betas,
    bin_log_prob,
    cosine_betas,
    ddpm_loss,
    ddpm_sample,
    ddpm_step,
    ddpm_vlb,
    ddpm_vlb_term,
    ddpm_vlb_terms,
    eps_from_score,
    eps_from_v,
    eps_from_x0,
    linear_betas,
    linear_rate_betas,
    log_snr,
    noise_errors,
    noising_chain,
    optimal_variances,
    posterior_mean,
    posterior_variances,
    score_from_eps,
    v_from_eps,
    x0_from_eps,
    x0_from_v,
)
from genlab.score.edm import EDM as EDM
from genlab.score.edm import denoiser_from_eps as denoiser_from_eps
from genlab.score.edm import edm_churn as edm_churn
from genlab.score.edm import edm_denoise as edm_denoise
from genlab.score.edm import edm_loss as edm_loss
from genlab.score.edm import edm_precondition as edm_precondition
from genlab.score.edm import edm_sample as edm_sample
from genlab.score.edm import edm_sigmas as edm_sigmas
from genlab.score.edm import edm_step as edm_step
from genlab.score.energy import (
    NCE,
    annealed_importance,
    contrastive_loss,
    contrastive_negatives,
    effective_sample_size,
    log_mean_exp,
    log_partition,
    nce_logits,
    nce_loss,
    score_from_energy,
)
from genlab.score.exact import exact_eps_model as exact_eps_model
from genlab.score.exact import exact_flow_1d as exact_flow_1d
from genlab.score.exact import exact_score as exact_score
from genlab.score.exact import exact_velocity as exact_velocity
from genlab.score.flow_matching import FlowMatching as FlowMatching
from genlab.score.flow_matching import TimedMLP as TimedMLP
from genlab.score.flow_matching import flow_matching_loss as flow_matching_loss
from genlab.score.flow_matching import flow_sample as flow_sample
from genlab.score.flow_matching import other_way as other_way
from genlab.score.flow_matching import reflow_pairs as reflow_pairs
from genlab.score.flow_matching import straightness as straightness
from genlab.score.guidance import cfg_eps as cfg_eps
from genlab.score.guidance import classifier_guided_eps as classifier_guided_eps
from genlab.score.guidance import drop_condition as drop_condition
from genlab.score.guidance import guided_eps_model as guided_eps_model
from genlab.score.guidance import guided_gaussian as guided_gaussian
from genlab.score.guidance import rescale_guided as rescale_guided
from genlab.score.guidance import tilted_density as tilted_density
from genlab.score.guidance import tilted_gaussian as tilted_gaussian
from genlab.score.learned_snr import LevelHistogram, second_moment, vdm_term
from genlab.score.masked import mask_count as mask_count
from genlab.score.masked import mask_tokens as mask_tokens
from genlab.score.masked import masked_nll as masked_nll
from genlab.score.masked import masked_sample as masked_sample
from genlab.score.masked import turns_log_prob as turns_log_prob
from genlab.score.masked import unmask_step as unmask_step
from genlab.score.matching import (
    NCSN,
    LevelMLP,
    annealed_langevin,
    dsm_floor,
    dsm_loss,
    esm_loss,
    hyvarinen_loss,
    ladder_overlap,
    ncsn_loss,
    noise_ladder,
    posterior_covariance,
    score_from_x0,
    sliced_loss,
    x0_from_score,
)
from genlab.score.samplers import (
    ddim_invert,
    ddim_sample,
    ddim_step,
    ddim_timesteps,
    dpm_solver_2m_step,
    dpm_solver_sample,
    dpm_solver_step,
    half_log_snr,
    log_snr_timesteps,
)
from genlab.score.sde import SDE as SDE
from genlab.score.sde import VE as VE
from genlab.score.sde import VP as VP
from genlab.score.sde import NormalPrior as NormalPrior
from genlab.score.sde import ProbabilityFlow as ProbabilityFlow
from genlab.score.sde import Straight as Straight
from genlab.score.sde import SubVP as SubVP
from genlab.score.sde import correct as correct
from genlab.score.sde import level_step_size as level_step_size
from genlab.score.sde import ode_log_prob as ode_log_prob
from genlab.score.sde import predictor_corrector_sample as predictor_corrector_sample
from genlab.score.sde import probability_flow as probability_flow
from genlab.score.sde import probability_flow_sample as probability_flow_sample
from genlab.score.sde import reverse_drift as reverse_drift
from genlab.score.sde import reverse_sde_sample as reverse_sde_sample
from genlab.score.sde import score_from_eps_model as score_from_eps_model
from genlab.score.sde import snr_step_size as snr_step_size
