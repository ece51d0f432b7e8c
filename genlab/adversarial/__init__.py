"""Paradigm 3: two networks play a game, and no density is ever written down."""

from typing import TYPE_CHECKING

from genlab.on_demand import on_demand

if TYPE_CHECKING:  # what editors and type checkers read
    from genlab.adversarial.games import *  # noqa: F403
    from genlab.adversarial.gan import *  # noqa: F403
    from genlab.adversarial.stylegan import *  # noqa: F403

OFFERS = {  # module: what the package takes from it
    "games": (
        "alternating_step", "dirac_field", "extragradient_step", "jensen_shannon",
        "non_saturating_divergence", "play", "play_optimistic", "simultaneous_step",
    ),
    "gan": (
        "GAN", "WGAN", "append_spread", "discriminator_loss",
        "gradient_penalty", "lazy_weight",
        "minimax_generator_loss", "non_saturating_generator_loss", "optimal_logits",
        "power_iteration", "r1_penalty", "slopes", "spectral_normalize", "wgan_critic_loss",
        "wgan_generator_loss",
    ),
    "stylegan": (
        "StyleDiscriminator", "StyleGenerator", "inject_noise", "attribute_direction",
        "followed", "mix_styles", "modulated_conv", "modulated_weight", "pixel_norm",
        "truncate",
    ),
}  # fmt: skip
__all__ = [name for names in OFFERS.values() for name in names]
__getattr__ = on_demand(__name__, OFFERS)
