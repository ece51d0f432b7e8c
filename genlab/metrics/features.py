"""What a picture is described by: digit classifiers, wavelet features, known degradations."""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from genlab.core.checked import check_public
from genlab.core.stats import slant
from genlab.core.tensors import randn, require_between, require_rows
from genlab.core.weights import load_weights

WEIGHTS = Path(__file__).parents[1] / "zoo" / "weights" / "digit_classifier.safetensors"
RECIPE = "genlab train digit_classifier"  # the command that makes them


class DigitClassifier(nn.Module):
    r"""Two convolutions and a layer of 32 features below the ten logits; trained with noise.

    $$\mathcal L = -\log p(y \mid x + 0.2\,\epsilon), \qquad \epsilon\sim\mathcal N(0, I)$$
    """

    N_FEATURES = 32
    N_CLASSES = 10
    NOISE = 0.2  # standard deviation added to the pixels in training

    def __init__(
        self, dtype: torch.dtype | None = None, body: nn.Module | None = None, top: int = 16
    ) -> None:
        super().__init__()
        self.top = top  # the largest grey level; another `body` ends in 32 features too
        self.body = body or nn.Sequential(
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

    def features(
        self, images: Float[Tensor, " n 1 s s"] | Int[Tensor, " n 1 s s"]
    ) -> Float[Tensor, " n 32"]:
        """Describe images by 32 numbers each."""
        return self._hidden(images) * self.scale

    def set_scale(self, images: Float[Tensor, " n 1 s s"] | Int[Tensor, " n 1 s s"]) -> None:
        """Scale the features so that their mean square over `images` is 1."""
        with torch.no_grad():
            self.scale.fill_(float(self._hidden(images).square().mean()) ** -0.5)

    def forward(
        self, images: Float[Tensor, " n 1 s s"] | Int[Tensor, " n 1 s s"]
    ) -> Float[Tensor, " n 10"]:
        """Logits of the ten digits, `(n, 10)`, for grey levels 0..`top`."""
        return self.head(self._hidden(images))

    def probs(
        self, images: Float[Tensor, " n 1 s s"] | Int[Tensor, " n 1 s s"]
    ) -> Float[Tensor, " n 10"]:
        return self(images).softmax(1)

    def _hidden(self, images: Tensor) -> Tensor:
        return self.body(images.to(self.head.weight.dtype) / self.top)

    def loss(
        self,
        x: Float[Tensor, " n 1 s s"] | Int[Tensor, " n 1 s s"],
        *,
        cond: Int[Tensor, " n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Cross-entropy of noisy images, mean over the batch, in nats."""
        if cond is None:
            raise ValueError("a classifier's loss needs labels: pass cond=labels")
        clean = x.to(self.head.weight.dtype)
        noise = randn(clean.shape, like=clean, generator=generator)
        return nn.functional.cross_entropy(self(clean + self.top * self.NOISE * noise), cond)


def load_classifier(path: Path = WEIGHTS, *, dtype: torch.dtype = torch.float64) -> DigitClassifier:
    """Load the network, ready to evaluate: no dropout, no gradients of its weights."""
    net = load_weights(DigitClassifier(), path, dtype=dtype, recipe=RECIPE)
    return net.requires_grad_(False)


def haar_details(grey: Float[Tensor, " *n s s"]) -> Float[Tensor, " *n 3 t t"]:
    r"""The finest details: Haar's differences in each block of 2 x 2 pixels (Mallat 1989, III).

    $$\tfrac12(a + b - c - d),\quad \tfrac12(a - b + c - d),\quad \tfrac12(a - b - c + d)
    \qquad\text{of}\quad \begin{pmatrix} a & b \\ c & d\end{pmatrix}$$
    """
    a = grey[..., ::2, ::2]
    b = grey[..., ::2, 1::2]
    c = grey[..., 1::2, ::2]
    d = grey[..., 1::2, 1::2]
    return torch.stack([a + b - c - d, a - b + c - d, a - b - c + d], -3) / 2


class WaveletFeatures:
    """Describe grey pictures by `n_axes` numbers, whitened on the real pictures of the fit."""

    def __init__(self, real: Float[Tensor, " n s s"], n_axes: int = 32) -> None:
        numbers = self._numbers(real)
        if not 1 <= n_axes < min(numbers.shape):
            raise ValueError(f"n_axes must lie in 1..{min(numbers.shape) - 1}, got {n_axes}")
        self.mean = numbers.mean(0)
        _, lengths, axes = torch.linalg.svd(numbers - self.mean, full_matrices=False)
        self.axes = axes[:n_axes].T / (lengths[:n_axes] / (len(real) - 1) ** 0.5)

    @staticmethod
    def _numbers(grey: Float[Tensor, " n s s"]) -> Float[Tensor, " n 112"]:
        """Cell means of the picture, 64, and of the size of its details, 3 x 16."""
        x = grey.double().clamp(0, 1)
        where = adaptive_avg_pool2d(x[:, None], 8).flatten(1)
        sharp = adaptive_avg_pool2d(haar_details(x).abs(), 4).flatten(1)
        return torch.cat([where, sharp], 1)

    def __call__(self, grey: Float[Tensor, " n s s"]) -> Float[Tensor, " n d"]:
        """Describe pictures."""
        return (self._numbers(grey) - self.mean) @ self.axes


SIZE = 16
N_DIRECTIONS = 8


def upright(grey: Float[Tensor, " n s s"]) -> Float[Tensor, " n s s"]:
    """Shear each picture until its slant is zero, and move its centre of mass to the middle."""
    n = len(grey)
    size = grey.shape[-1]
    place = torch.arange(size).to(grey) - (size - 1) / 2
    mass = grey.sum((1, 2)).clamp(min=1e-12)
    right = grey.sum(1) @ place / mass
    down = grey.sum(2) @ place / mass
    lean = slant(grey)
    one = grey.new_ones(n)
    zero = grey.new_zeros(n)
    half = 2 / size
    rows = [torch.stack([one, -lean, right * half], 1), torch.stack([zero, one, down * half], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), [n, 1, size, size], align_corners=False)
    return F.grid_sample(grey[:, None], grid, align_corners=False)[:, 0]


def gradient_histograms(grey: Float[Tensor, " n s s"]) -> Float[Tensor, " n f"]:
    """Strength of the gradient by direction, summed over cells of 2 x 2 and of 4 x 4 pixels."""
    d_down, d_right = torch.gradient(grey, dim=(1, 2))
    strength = torch.hypot(d_down, d_right)
    turn = torch.atan2(d_down, d_right).remainder(2 * math.pi) * (N_DIRECTIONS / (2 * math.pi))
    low = turn.floor().long() % N_DIRECTIONS
    part = turn - turn.floor()
    one_hot = F.one_hot(torch.stack([low, (low + 1) % N_DIRECTIONS]), N_DIRECTIONS)
    weight = torch.stack([strength * (1 - part), strength * part])
    maps = (one_hot * weight[..., None]).sum(0).permute(0, 3, 1, 2)
    return torch.cat([F.avg_pool2d(maps, k).flatten(1) * k**2 for k in (2, 4)], 1)


class DigitJudge:
    """Recognise digits by a support vector machine, fitted once on upright pictures."""

    def __init__(self, grey: Float[Tensor, " n s s"], labels: Int[Tensor, " m"]) -> None:
        if len(grey) != len(labels):
            raise ValueError(f"{len(grey)} pictures have {len(labels)} labels")
        features = self._features(grey)
        self._scale = features.std(0) + 0.05
        from sklearn.svm import SVC  # here: it takes a second to import

        self._machine = SVC(C=10.0, gamma="scale").fit(features / self._scale, labels.cpu().numpy())

    @staticmethod
    def _features(
        grey: Float[Tensor, " n s s"],
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Pixels of the upright picture and its gradient histograms."""
        size = tuple(grey.shape[1:])
        if size not in ((SIZE, SIZE), (2 * SIZE, 2 * SIZE)):
            raise ValueError(f"expected pictures of 16 x 16 or 32 x 32, got {size[0]} x {size[-1]}")
        small = grey.double().clamp(0, 1)
        if size[0] != SIZE:
            small = F.avg_pool2d(small[:, None], 2)[:, 0]
        parts = [upright(part) for part in torch.split(small, 500)]  # their tables are large
        both = torch.cat([torch.cat([p.flatten(1), gradient_histograms(p)], 1) for p in parts])
        return both.cpu().numpy()

    def __call__(self, grey: Float[Tensor, " n s s"]) -> Int[Tensor, " n"]:
        """Digit that each picture shows."""
        found = self._machine.predict(self._features(grey) / self._scale)
        return torch.from_numpy(found).long().to(grey.device)


def blur(images: Float[Tensor, " n 1 h w"], std: float) -> Float[Tensor, " n 1 h w"]:
    r"""Gaussian blur with a 5 x 5 kernel; the border is continued by its last pixels.

    $$(G_s * x)_{ij} = \sum_{|a|,|b|\le 2} g_a g_b\, x_{i+a,j+b}, \qquad
    g_a \propto e^{-a^2/2s^2}$$
    """
    require_between(0, math.inf, std=std)
    if std == 0:
        return images
    offsets = torch.arange(-2, 3).to(images)
    weights = torch.exp(-(offsets**2) / (2 * std**2))
    kernel = torch.outer(weights, weights) / weights.sum() ** 2
    padded = nn.functional.pad(images, (2, 2, 2, 2), mode="replicate")
    return nn.functional.conv2d(padded, kernel[None, None])


def degrade(
    images: Float[Tensor, " n 1 h w"],
    eps: Float[Tensor, " n 1 h w"],
    *,
    blur_std: float = 0.0,
    noise_std: float = 0.0,
) -> Float[Tensor, " n 1 h w"]:
    """Blur, add noise, and return to grey levels 0..16."""
    require_between(0, math.inf, noise_std=noise_std)
    return (blur(images, blur_std) + noise_std * eps).round().clamp(0, 16)


def only_classes(labels: Int[Tensor, " n"], n_kept: int) -> Int[Tensor, " n"]:
    """Rows that show only the first few classes: the others are replaced, the number stays."""
    require_rows(labels=labels)
    kept = labels < n_kept
    rows = kept.nonzero()[:, 0]
    if len(rows) == 0:
        raise ValueError(f"no row has one of the classes below {n_kept}")
    out = torch.arange(len(labels), device=labels.device)
    missing = len(labels) - len(rows)
    out[~kept] = rows[torch.arange(missing, device=labels.device) % len(rows)]
    return out


def repeat_few(n: int, n_distinct: int) -> Int[Tensor, " n"]:
    """Rows that repeat the first few images in turn: a generator with that many outputs."""
    require_between(1, n, n_distinct=n_distinct)
    return torch.arange(n) % n_distinct


check_public(__name__)
