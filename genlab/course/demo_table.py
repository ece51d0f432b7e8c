"""Which widgets an instructor shows, and what is asked before they are moved."""

from dataclasses import dataclass

LOAD = "from genlab.systems import load_model\n"
JUDGE = f"{LOAD}from genlab.systems.judging import digit_judge\n"


@dataclass(frozen=True)
class Demo:
    """One widget, and the question that the class answers before it is moved."""

    question: str  # Markdown
    code: str  # its last line is the widget


@dataclass(frozen=True)
class Page:
    """The page of a lesson or a lab."""

    key: int | str  # number of a lesson, or name of a lab
    topic: str  # as on the map
    demos: tuple[Demo, ...]
    needs: tuple[str, ...] = ()  # models that must have been shipped

    @property
    def name(self) -> str:
        """Of its file: "04", "glide"."""
        return self.key if isinstance(self.key, str) else f"{self.key:02d}"

    @property
    def title(self) -> str:
        """With its number: "04 Normalizing flows", "Language model"."""
        return self.topic if isinstance(self.key, str) else f"{self.name} {self.topic}"


FIVE = """\
from genlab.core import last
from genlab.course import first_map
from genlab.data.toys import GaussianRing
def five():
    data = GaussianRing().sample(10_000)
    runs = {name: first_map.learn(name, data) for name in first_map.RECIPES}
    for _, run in runs.values():
        last(run)
    return widgets.five_samplers({name: model for name, (model, _) in runs.items()})
widgets.later("Train the five models now: half a minute", five)"""

DECODING = """\
from genlab.autoregressive.tokenizer import CharTokenizer
from genlab.autoregressive.text_transformer import ALPHABET
from genlab.systems import load_model
writer, tokenizer = load_model("text_transformer"), CharTokenizer(ALPHABET)
contexts = ["the val", "Py", "If the ", "class "]
with torch.no_grad():
    rows = [torch.cat([writer.begin(1), tokenizer.encode(c)[None]], 1) for c in contexts]
    after = torch.cat([writer.next_logits(row)[:, -1] for row in rows])
letters = ["\\\\n" if c == "\\n" else "␣" if c == " " else c for c in tokenizer.alphabet]
widgets.decoding(after, letters, contexts)"""

STYLES = """\
from genlab.adversarial import attribute_direction
from genlab.core.moments import ink, slant
from genlab.systems import load_model
from genlab.systems.stylegan import grey
gan, g = load_model("stylegan"), torch.Generator().manual_seed(8)
net = gan.generator_net
with torch.no_grad():
    w = net.mapping(torch.randn(2000, net.d_latent, generator=g))
    x = grey(net.synthesis(net.every_layer(w), net.draw_noise(2000, g)))
styles = {name: attribute_direction(w, f(x)) for name, f in (("slant", slant), ("ink", ink))}
widgets.style_painter(gan, styles)"""

GLIDE = f"""\
{JUDGE}from genlab.systems.glide import Glide
glide = Glide(load_model("glide_base"), load_model("glide_upsampler"))
widgets.caption_painter(glide, digit_judge())"""

PAGES: tuple[Page, ...] = (
    Page(1, "The four-paradigm map", (
        Demo('Set the sampler to "one draw, one pass". Which *one* clue more leaves one '
             "family?", "widgets.paradigm_map()"),
        Demo("After half of its work, which of the five already resembles the data, and which "
             "has one coordinate and no idea of the other?", FIVE),
    )),
    Page(2, "Autoregressive models", (
        Demo("How many layers of two stacks does the last pixel need before the first one can "
             "influence it?", "widgets.receptive_field()"),
        Demo("How low must the temperature be before one letter holds 99 %?", DECODING),
    )),
    Page(3, "Maximum likelihood and KL", (
        Demo("Keep the width small and walk from one mode to the other: what does the reverse "
             "divergence do in between?", "widgets.kl_fit()"),
    )),
    Page(4, "Normalizing flows", (
        Demo("Each layer moves one coordinate. After how many of four will there be two arms?",
             "widgets.flow_warp()"),
    )),
    Page(5, "Latent variables and the ELBO", (
        Demo("Move $q(z{=}1)$ to where the *reconstruction* is best. Is the ELBO best there?",
             "widgets.elbo_gap()"),
        Demo("Turn the latent space until $q$ can be right. How wide does $q$ become?",
             "widgets.posterior_ellipse()"),
    )),
    Page(6, "VAE in practice", (
        Demo("Walk from the ones to the zeros. Through which digits do you pass?",
             "widgets.latent_plane()"),
    )),
    Page(7, "GANs: the minimax game", (
        Demo("Is there a rate at which simultaneous steps settle without $\\gamma$?",
             "widgets.game_orbit()"),
        Demo("At which mean is the minimax slope largest, and what has become of it at 6?",
             "widgets.gan_game()"),
    )),
    Page(8, "WGAN and the gradient penalty", (
        Demo("At which shift does JS stop moving when the bumps are twice as wide?",
             "widgets.earth_mover()"),
    )),
    Page(9, "Evaluation", (
        Demo("Which metric notices noise first, and which notices the missing digits?",
             "widgets.metric_room()"),
    )),
    Page(10, "Energy-based models", (
        Demo("Raise the step without Metropolis: which goes wrong first, the width of the "
             "valleys or their shares of mass?", "widgets.langevin_bias()"),
    )),
    Page(11, "Score matching", (
        Demo("The red line is the watershed. Where does it go as $\\sigma$ rises?",
             "widgets.score_field()"),
    )),
    Page(12, "Diffusion I: forward and reverse", (
        Demo("At which step does the observer cease to know the digit, for both schedules? And"
             " at which log SNR?", "widgets.forward_process()"),
    )),
    Page(13, "Diffusion II: training and sampling", (
        Demo("With 8 passes, where do DDIM's trajectories leave the exact ones: in the noise, "
             "or near the data?", "widgets.sampler_steps()"),
        Demo("Raise $w$ from 1. Which moves first, the samples' mean or their width?",
             "widgets.guidance()"),
    )),
    Page(14, "Score-based SDEs", (
        Demo("Turn the noise up from 0. Which of the two pictures changes?", "widgets.sde_paths()"),
    )),
    Page(15, "The four-paradigm landscape", (
        Demo("Place a release of this week: which phrase decides?",
             "from genlab.widgets.league_picture import league_picture\nwidgets.release_reader()"),
        Demo("Is there a pair of columns in which a single model is unbeaten?", "league_picture()"),
    )),
    Page("language_model", "Language model", (
        Demo("At which temperature does the text stop being grammatical? With top-k 1, what "
             "does `draw` change?",
             LOAD + 'widgets.prompt_box(load_model("language_model", dtype=torch.float32))'),
    ), ("language_model",)),
    Page("latent_diffusion", "Latent diffusion", (
        Demo("With two steps, will colour, digit or stroke be the first to be right?",
             JUDGE + 'widgets.latent_painter(load_model("latent_diffusion"), digit_judge())'),
    ), ("latent_diffusion",)),
    Page("glide", "GLIDE-style diffusion", (
        Demo("At which guidance do the three pictures begin to look like one?", GLIDE),
    ), ("glide_base", "glide_upsampler",)),
    Page("stylegan", "StyleGAN-style generator", (
        Demo("Lower the truncation: what is gained, and what is lost?", STYLES),
    ), ("stylegan",)),
    Page("text_to_video", "Text to video", (
        Demo("Make the frames each alone. What is lost, though every frame is right?",
             LOAD + 'widgets.film_strip(load_model("text_to_video"))'),
    ), ("text_to_video",)),
    Page("language_and_image", "Language and image", (
        Demo("Type a beginning. What does the prompt fix, and what is drawn anew each time?",
             LOAD + 'widgets.write_and_draw(load_model("language_and_image"))'),
    ), ("language_and_image",)),
    Page("flow_density_estimator", "Flow density estimator", (
        Demo("An epidemic that dies out: is its posterior narrower or wider than that of a "
             "full wave?", LOAD + 'widgets.epidemic_posterior(load_model("npe_epidemic"))'),
    ), ("npe_epidemic",)),
)  # fmt: skip
