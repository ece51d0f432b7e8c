"""Lesson 12's bound in bits per dimension under four choices of the steps' variances, by training.

    python benchmarks/bound_12.py

Six trainings of the page's 640 steps, one noise for each of 100 steps and 200 test digits. The best
variance of a step is fitted on 200 other test digits. The last step has the variance beta_1 in all.
"""

import torch
from project_12 import BETAS, T, trained

from genlab import score
from genlab.core import bits_per_dim
from genlab.data.digits import load_mnist, to_unit
from genlab.score.diffusion import Bins, bin_log_prob

SEEDS, N, D = (12, 112, 113, 114, 115, 116), 200, 144
BAR, TILDE = (1 - BETAS).cumprod(0), score.posterior_variances(BETAS)
GAP = BETAS**2 / ((1 - BETAS) * (1 - BAR))  # of the means, squared, for an error of 1


@torch.no_grad()
def errors(model, x0, labels, seed):
    """Mean squared error of the noise at each step, and the bits of the last step."""
    g = torch.Generator().manual_seed(seed)
    found = []
    for k in range(T):
        eps = torch.randn(x0.shape, generator=g)
        x = BAR[k].sqrt() * x0 + (1 - BAR[k]).sqrt() * eps
        guess = model(x, torch.full((len(x0),), k), labels)
        found.append((eps - guess).square().mean())
        if k == 0:
            mean = (x - (1 - BAR[0]).sqrt() * guess) / BAR[0].sqrt()
            log_p = bin_log_prob(x0, mean, BETAS[0].sqrt(), Bins(2 / 255, -1.0, 1.0))
    return torch.stack(found), bits_per_dim(-log_p.double().mean(), D)


def main():
    """Print the bits of the last step, and of all steps for each choice of the variances."""
    torch.set_num_threads(1)
    (digits, labels), (test, of_test) = (load_mnist(split, 16) for split in ("train", "test"))
    digits, test = (to_unit(x, 255)[:, :, 2:14, 2:14].contiguous() for x in (digits, test))
    for seed in SEEDS:
        model, _ = trained(digits, labels, 640, 0.98, seed)
        mse, last = errors(model, test[:N], of_test[:N], seed=1)
        fitted, _ = errors(model, test[N : 2 * N], of_test[N : 2 * N], seed=2)
        choices = {
            "beta": BETAS, "beta tilde": TILDE, "geometric mean": (BETAS * TILDE).sqrt(),
            "best": TILDE + GAP * fitted,
        }  # fmt: skip
        row = []
        for name, v in choices.items():
            terms = 0.5 * (GAP * mse / v + TILDE / v - 1 - (TILDE / v).log())[1:]
            row.append(f"{name} {last + bits_per_dim(terms.sum(), 1):.3f}")
        print(f"seed {seed}: last step {last:.2f}; all steps: {', '.join(row)}", flush=True)


if __name__ == "__main__":
    main()
