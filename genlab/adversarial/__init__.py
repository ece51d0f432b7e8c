"""Paradigm 3: a generator and a critic play a game, and no density is ever written down."""

from .gan import GAN as GAN
from .objectives import critic_loss as critic_loss
from .objectives import jensen_shannon as jensen_shannon
from .objectives import minimax_generator_loss as minimax_generator_loss
from .objectives import non_saturating_generator_loss as non_saturating_generator_loss
from .objectives import optimal_logits as optimal_logits
from .penalties import r1_penalty as r1_penalty
