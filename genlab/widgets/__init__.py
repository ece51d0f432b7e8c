"""Interactive figures: they drive genlab's functions and hold no mathematics of their own."""

from .decoding import decoding as decoding
from .earth_mover import earth_mover as earth_mover
from .elbo_gap import elbo_gap as elbo_gap
from .elbo_gap import posterior_ellipse as posterior_ellipse
from .epidemic_posterior import epidemic_posterior as epidemic_posterior
from .explorer import Explorer as Explorer
from .explorer import explore as explore
from .five_samplers import five_samplers as five_samplers
from .flow_warp import flow_warp as flow_warp
from .forward_process import forward_process as forward_process
from .gan_game import game_orbit as game_orbit
from .gan_game import gan_game as gan_game
from .guidance import guidance as guidance
from .kl_fit import kl_fit as kl_fit
from .langevin_bias import langevin_bias as langevin_bias
from .latent_plane import latent_plane as latent_plane
from .metric_room import metric_room as metric_room
from .paradigm_map import paradigm_map as paradigm_map
from .quiz import quiz as quiz
from .receptive_field import receptive_field as receptive_field
from .sampler_steps import sampler_steps as sampler_steps
from .score_field import score_field as score_field
from .sde_paths import sde_paths as sde_paths
from .style_painter import style_painter as style_painter
from .watch import watch as watch
