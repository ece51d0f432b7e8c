"""How colours look to people who confuse red and green, and how far apart they then are.

Simulation: Machado, Oliveira, Fernandes 2009, "A physiologically-based model for simulation of
color vision deficiency" (IEEE TVCG 15, 1291-1298), the matrices of full severity, on linear RGB.
Distance: CIE 1976, the Euclidean distance in CIELAB under D65; about 2.3 is just noticeable."""

import numpy as np

VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
    "tritanopia": np.array([
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ]),
}  # fmt: skip
TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip
WHITE = TO_XYZ @ np.ones(3)


def linear(colour):
    """Return the linear RGB of "#RRGGBB"."""
    c = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Return the CIELAB coordinates of a linear RGB."""
    t = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(a, b, vision="normal"):
    """Return how far apart two colours are for eyes of one kind."""
    x, y = (lab(VISIONS[vision] @ linear(colour)) for colour in (a, b))
    return float(np.linalg.norm(x - y))


def contrast(a, b):
    """Return the contrast ratio of two colours as WCAG 2 defines it, 1 to 21."""
    bright = sorted((TO_XYZ @ linear(colour))[1] for colour in (a, b))
    return (bright[1] + 0.05) / (bright[0] + 0.05)
