r"""The feature network of the course: a small classifier of the 8 x 8 digits.

$$x \;\mapsto\; \phi(x) \in \mathbb R^{32} \;\mapsto\; \text{logits} \in \mathbb R^{10}$$

FID, KID, precision and recall compare $\phi$, not pixels, so every such number belongs to its
network. Ours is 22,000 weights trained on the digits' training part; the shipped file comes
with a card (recipe, seed, data, accuracy), and `genlab train digit_classifier` makes both
again.

Lesson: notebooks/09_evaluation.ipynb
Source: Heusel et al. 2017 (arXiv:1706.08500), section 2, with our network for Inception v3.
"""

from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core.weights import load_weights

WEIGHTS = Path(__file__).parent / "weights" / "digit_classifier.safetensors"
RECIPE = "genlab train digit_classifier"  # the command that makes them

Images = Float[Tensor, " n 1 8 8"] | Int[Tensor, " n 1 8 8"]


@final
class DigitClassifier(nn.Module):
    r"""Two convolutions and a layer of 32 features below the ten logits.

    $$\mathcal L = -\log p(y \mid x + 0.2\,\epsilon), \qquad \epsilon\sim\mathcal N(0, I)$$

    Pixels are scaled to [0, 1]; the noise of the loss keeps the features smooth.

    Args:
        dtype: of the weights; torch's default when None.

    Example:
        >>> net = DigitClassifier()
        >>> net.features(torch.zeros(3, 1, 8, 8)).shape, net(torch.zeros(3, 1, 8, 8)).shape
        (torch.Size([3, 32]), torch.Size([3, 10]))
    """

    N_FEATURES = 32
    N_CLASSES = 10
    NOISE = 0.2  # standard deviation added to the pixels in training

    def __init__(self, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, dtype=dtype),
            nn.SiLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1, dtype=dtype),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, self.N_FEATURES, dtype=dtype),
            nn.SiLU(),
        )
        self.head = nn.Linear(self.N_FEATURES, self.N_CLASSES, dtype=dtype)
        self.scale: Tensor
        self.register_buffer("scale", torch.ones((), dtype=dtype))

    def features(self, images: Images) -> Float[Tensor, " n 32"]:
        """Describe images by 32 numbers each.

        Args:
            images: grey levels 0..16, integers or not (a generator's output before rounding).

        Returns:
            `(n, 32)` in the network's dtype; no unit, mean square 1 over the images that
            `set_scale` saw.
        """
        return self._hidden(images) * self.scale

    def set_scale(self, images: Images) -> None:
        """Scale the features so that their mean square over `images` is 1.

        Args:
            images: the training images, grey levels 0..16.
        """
        with torch.no_grad():
            self.scale.fill_(float(self._hidden(images).square().mean()) ** -0.5)

    def forward(self, images: Images) -> Float[Tensor, " n 10"]:
        """Logits of the ten digits, `(n, 10)`, for grey levels 0..16."""
        logits: Tensor = self.head(self._hidden(images))
        return logits

    def probs(self, images: Images) -> Float[Tensor, " n 10"]:
        """Class probabilities, `(n, 10)`, for grey levels 0..16."""
        probs: Tensor = self(images).softmax(1)
        return probs

    def _hidden(self, images: Tensor) -> Tensor:
        hidden: Tensor = self.body(images.to(self.head.weight.dtype) / 16)
        return hidden

    def loss(
        self,
        x: Images,
        *,
        cond: Int[Tensor, " n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Cross-entropy of noisy images, mean over the batch, in nats.

        Args:
            x: grey levels 0..16.
            cond: labels 0..9.
            generator: source of the noise.

        Returns:
            A scalar.

        Raises:
            ValueError: no labels.
        """
        if cond is None:
            raise ValueError("a classifier's loss needs labels: pass cond=labels")
        clean = x.to(self.head.weight.dtype)
        noise = torch.randn(clean.shape, dtype=clean.dtype, generator=generator)
        return nn.functional.cross_entropy(self(clean + 16 * self.NOISE * noise), cond)


def load_classifier(path: Path = WEIGHTS, *, dtype: torch.dtype = torch.float64) -> DigitClassifier:
    """Load the network, ready to evaluate: no dropout, no gradients of its weights.

    Args:
        path: a file written by `save_weights`; by default the one that ships.
        dtype: double by default, so that a metric's digits do not depend on the machine.

    Returns:
        The network in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds another network.

    Example:
        >>> load_classifier().head.weight.dtype
        torch.float64

    Lesson: notebooks/09_evaluation.ipynb
    """
    net = load_weights(DigitClassifier(), path, dtype=dtype, recipe=RECIPE)
    return net.requires_grad_(False)
