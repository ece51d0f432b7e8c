"""Paradigm 3: a generator and a critic play a game, and no density is ever written down."""

from .gan import GAN as GAN
from .lipschitz import clip_weights as clip_weights
from .lipschitz import power_iteration as power_iteration
from .lipschitz import slopes as slopes
from .lipschitz import spectral_normalize as spectral_normalize
from .objectives import critic_loss as critic_loss
from .objectives import jensen_shannon as jensen_shannon
from .objectives import minimax_generator_loss as minimax_generator_loss
from .objectives import non_saturating_generator_loss as non_saturating_generator_loss
from .objectives import optimal_logits as optimal_logits
from .penalties import gradient_penalty as gradient_penalty
from .penalties import r1_penalty as r1_penalty
from .wgan import WGAN as WGAN
from .wgan import wgan_critic_loss as wgan_critic_loss
from .wgan import wgan_generator_loss as wgan_generator_loss
