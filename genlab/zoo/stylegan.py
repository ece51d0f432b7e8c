"""StyleGAN of MNIST at 16 x 16 (its lab)."""

from dataclasses import replace

from jaxtyping import Float
from torch import Generator, Tensor

from genlab.adversarial.stylegan import StyleDiscriminator, StyleGenerator
from genlab.data.captions import load_captioned
from genlab.systems.evaluation import realism
from genlab.systems.stylegan import StyleGAN, grey
from genlab.train import Hooks, Run, cosine
from genlab.zoo.cards import SEED, Figures, digest, in_single, named
from genlab.zoo.recipe import Plan, Recipe, by_game


def style_gan(
    *,
    d_latent: int,
    d_style: int,
    n_mapping: int,
    channels: tuple[int, int, int],
    mapping_rate: float,
    discriminator_channels: tuple[int, int, int],
    discriminator_width: int,
    gamma: float,
    interval: int,
    mixing: float,
) -> StyleGAN:
    """A StyleGAN of pictures in [-1, 1], `(b, 1, 16, 16)`."""
    generator_net = StyleGenerator(
        d_latent, d_style, n_mapping, channels, mapping_rate=mapping_rate
    )
    discriminator = StyleDiscriminator(discriminator_channels, discriminator_width)
    return StyleGAN(generator_net, discriminator, gamma=gamma, interval=interval, mixing=mixing)


def by_styles(
    gan: StyleGAN, x: Tensor, *, plan: Plan, n_fall: int, betas: tuple[float, float]
) -> Run:
    """Play the game; the generator ends with its averaged weights and the mean of its styles.

    The rates (discriminator's, generator's) fall to zero in the last `n_fall` steps.
    """
    n_fall = min(n_fall, plan.n_steps)
    rates = (replace(plan, lr=rate).constant for rate in plan.each_lr)
    lr_d, lr_generator = (cosine(r, n_fall, hold=plan.n_steps - n_fall) for r in rates)
    hooks = Hooks(
        before=gan.at_step, finish=lambda: gan.set_mean_style(Generator().manual_seed(plan.seed))
    )
    falling = replace(plan, lr=(lr_d, lr_generator), hooks=hooks)
    return by_game(gan, x, plan=falling, n_critic=1, betas=betas)


def grey_digits(part: str = "painter") -> Float[Tensor, " n 1 16 16"]:
    """Digits of one part, from -1 (paper) to 1 (ink)."""
    return 2 * load_captioned(part, 16).grey[:, None] - 1


def drawn_at(gan: StyleGAN, truncation: float, n: int = 1000) -> Float[Tensor, " n 16 16"]:
    """Grey values in [0, 1], drawn with the seed of all figures in single precision."""
    with in_single(gan) as copied:
        generator = Generator().manual_seed(SEED)
        return grey(copied.sample(n, truncation=truncation, generator=generator))


def _measure_style_gan(gan: StyleGAN) -> Figures:
    found: Figures = {"kind": "none"}
    found |= named("real_{}", realism(load_captioned("judge", 16).grey[:1000])._asdict())
    for psi, suffix in ((1.0, ""), (0.7, "_at_0.7"), (0.4, "_at_0.4")):
        found |= named("{}" + suffix, realism(drawn_at(gan, psi))._asdict())
    return found


STYLEGAN = Recipe(
    "stylegan", "StyleGAN of MNIST at 16 x 16: styles, noise, lazy R1",
    lesson=7, seconds=900, seed=4,
    build=style_gan,
    sizes={"d_latent": 32, "d_style": 64, "n_mapping": 2, "mapping_rate": 1.0,
           "channels": (64, 32, 16), "discriminator_channels": (16, 32, 64),
           "discriminator_width": 64, "gamma": 0.5, "interval": 8, "mixing": 0.2},
    data=lambda: (grey_digits(),),
    source="genlab.data.captions, part 'painter': 5,000 digits of 16 x 16, grey"
    "; MNIST, CC BY-SA 3.0",
    digest=lambda: digest((255 * load_captioned("painter", 32).grey).round()),
    plan=Plan(n_steps=21_000, batch_size=64, lr=(8e-3, 4e-3), average=0.995),
    more={"n_fall": 1_500, "betas": (0.0, 0.99)},
    loop=by_styles, measure=_measure_style_gan,
)  # fmt: skip
RECIPES = (STYLEGAN,)
