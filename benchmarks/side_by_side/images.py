"""U-Nets of about 0.28 million parameters on images of 16 x 16 pixels."""

import copy
from functools import partial

import torch

from benchmarks.side_by_side.row import Row, Runs, alike, training_step
from genlab import score
from genlab.core import last
from genlab.nn.unet import UNet, UNetConfig

N, SIDE, STEPS = 32, 16, 50


def both():
    """Two levels, one block each, attention at the bottom: ours, and the peer's."""
    import diffusers

    torch.manual_seed(0)
    ours = UNet(UNetConfig(width=24, mults=(1, 2)))
    theirs = diffusers.UNet2DModel(
        sample_size=SIDE, in_channels=1, out_channels=1, block_out_channels=(24, 40),
        layers_per_block=1, norm_num_groups=8, attention_head_dim=10,
        down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
    )  # fmt: skip
    alike(ours, theirs, within=0.01)
    layout = {"memory_format": torch.channels_last}
    return {
        "ours": ours.to(**layout),
        "diffusers": copy.deepcopy(theirs),
        "diffusers, channels_last": theirs.to(**layout),
    }


def predicted(net, x, t):
    """What a network says, ours or the peer's."""
    out = net(x, t)
    return out if isinstance(out, torch.Tensor) else out.sample


def training() -> Runs:
    """Mean square of the predicted noise, gradients and AdamW."""
    g = torch.Generator().manual_seed(0)
    x, eps = (torch.randn(N, 1, SIDE, SIDE, generator=g) for _ in range(2))
    t = torch.randint(1000, (N,), generator=g)

    def loss(net):
        return (predicted(net, x, t) - eps).square().mean()

    return {name: training_step(net, partial(loss, net)) for name, net in both().items()}


def sampling() -> Runs:
    """DDIM in 50 passes with the peer's schedule; one network in both samplers draws the same."""
    import diffusers

    nets = {name: net.eval() for name, net in both().items()}
    scheduler = diffusers.DDIMScheduler(clip_sample=False)
    scheduler.set_timesteps(STEPS)
    times, bar = scheduler.timesteps, scheduler.alphas_cumprod
    x_T = torch.randn(N, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    def ours(net):
        return last(score.ddim_sample(net, x_T, times, alphas_bar=bar))

    def theirs(net):
        x = x_T
        with torch.no_grad():
            for t in times:
                x = scheduler.step(predicted(net, x, t.expand(N)), t, x).prev_sample
        return x

    torch.testing.assert_close(ours(nets["ours"]), theirs(nets["ours"]), atol=1e-4, rtol=1e-4)
    return {name: partial(ours if name == "ours" else theirs, net) for name, net in nets.items()}


ROWS = (
    Row(
        "U-Net training step", 0.7, ("diffusers",),
        "loss, gradients and AdamW on 32 images of 16 x 16; two levels, 0.28 M parameters within "
        "1 %, ours in channels_last, the peer in both layouts",
        training,
    ),
    Row(
        "U-Net, 50 passes", 0.7, ("diffusers",),
        "32 images by DDIM in 50 steps, the same networks; with one network both samplers draw "
        "the same",
        sampling,
    ),
)  # fmt: skip
