"""Paradigm 4: learn to remove noise, which is to learn the slope of log p, and sample by steps."""

from .ddim import ddim_sample as ddim_sample
from .ddim import ddim_step as ddim_step
from .ddim import ddim_timesteps as ddim_timesteps
from .ddpm import DDPM as DDPM
from .ddpm import ddpm_loss as ddpm_loss
from .ddpm import ddpm_sample as ddpm_sample
from .ddpm import ddpm_step as ddpm_step
from .paths import add_noise as add_noise
from .paths import eps_from_score as eps_from_score
from .paths import eps_from_v as eps_from_v
from .paths import eps_from_x0 as eps_from_x0
from .paths import score_from_eps as score_from_eps
from .paths import v_from_eps as v_from_eps
from .paths import x0_from_eps as x0_from_eps
from .paths import x0_from_v as x0_from_v
from .schedules import alphas_bar_from_betas as alphas_bar_from_betas
from .schedules import cosine_betas as cosine_betas
from .schedules import linear_betas as linear_betas
from .schedules import log_snr as log_snr
from .schedules import posterior_variances as posterior_variances
from .vlb import ddpm_vlb as ddpm_vlb
from .vlb import ddpm_vlb_term as ddpm_vlb_term
