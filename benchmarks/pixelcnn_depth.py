"""What it costs the PixelCNN of the digits that its four layers do not see the whole past.

    python benchmarks/pixelcnn_depth.py

Three networks by the recipe of lesson 02, three seeds each: four layers; seven, which see every
earlier pixel; and seven of which the upper three look at their own place only, so that they see
what four see. The last two have the same depth and number of parameters; only their sight differs.
"""

import torch

from genlab.autoregressive.likelihood import seen_pixels
from genlab.core import bits_per_dim, last
from genlab.data.digits import load_digits
from genlab.zoo import find


def close(layers, first):
    """Let the layers from `first` on read their own place only."""
    for layer in layers[first:]:
        height, width = layer.mask.shape[-2:]
        centre = torch.zeros_like(layer.mask)
        centre[..., height // 2, width // 2] = True
        layer.mask &= centre


def main():
    """Print links to earlier pixels and held-out bits per dimension of all nine networks."""
    torch.set_num_threads(1)
    train, test = (load_digits(part).images for part in ("train", "test"))
    for seed in (2, 3, 4):
        for name, n_layer, n_open in (("4", 4, 4), ("7, upper 3 closed", 7, 4), ("7", 7, 7)):
            recipe = find("digit_pixelcnn").but(n_layer=n_layer, seed=seed)
            model = recipe.untrained()
            for layers in (model.stack.vertical, model.stack.horizontal):
                close(layers, n_open - 1)  # the first layer is not in these lists
            links = sum(
                int(seen_pixels(model.stack, r, c).sum()) for r in range(8) for c in range(8)
            )
            last(recipe.train(model, train))
            with torch.no_grad():
                bits = bits_per_dim(-model.log_prob(test), 64).mean()
            print(
                f"seed {seed}, layers {name}: {links} of 2016 links, {bits:.4f} bits per dimension"
            )


if __name__ == "__main__":
    main()
