"""Families in other roles than that of a component: a grid of roles, families and releases."""

import pytest

from genlab.atlas.reader import read_release

RELEASES = {
    "autoregressive": "We train a decoder-only transformer on symbolic music, event by event.",
    "adversarial": "A generator is trained against a patch discriminator.",
    "score-based": "Our U-Net learns to remove Gaussian noise from pixels in 50 steps.",
    "flow": "Twelve affine coupling layers are trained by maximum likelihood on events.",
}
FAMILIES = {
    "autoregressive": "language model",
    "adversarial": "GAN",
    "score-based": "diffusion model",
    "flow": "normalizing flow",
    "latent-variable": "VAE",
}
ROLES = (
    "The {} of the previous paper needed twice the time.",
    "Training data were cleaned with the help of a {}.",
    "Half of the training pictures were made by a {}.",
    "Conditioning vectors come from a frozen {}.",
    "A downstream {} trained on our samples gains two points.",
    "An ablation with a {} in place of our network lost three points.",
    "It is as easy to train as a {}.",
    "Where a {} would fail, it degrades gracefully.",
    "If you need edits, use a {} instead.",
    "A port to a {} is being worked on by the community.",
    "The same authors published a {} last year.",
    "The {} used by the experiment so far takes minutes.",
    "In quality it equals a {} of twice the size.",
    "Rewards come from a {}.",
    "Pictures that a {} made were left in.",
    "A {} served us as a control.",
    "The safety checker is based on a {}.",
    "It inherits its data pipeline from a {}.",
    "It has three times the throughput of a {}.",
    "A {} generates the queries with which we evaluate.",
)


@pytest.mark.parametrize("role", ROLES)
def test_a_family_in_another_role_is_no_component(role):
    found = {
        (own, family): read_release(f"{text} {role.format(name)}").paradigms
        for own, text in RELEASES.items()
        for family, name in FAMILIES.items()
        if own != family
    }
    assert {pair: got for pair, got in found.items() if got != (pair[0],)} == {}


@pytest.mark.parametrize(
    "frame",
    [
        "Tern is a {} for protein loops.",
        "We fine-tune a public {} on 40k scans.",
        "At the heart of Tern sits a {} with 300M parameters.",
        "Crystals are hard. A {} makes them nonetheless: ours has 40M parameters.",
        "Can a {} draw maps? We train one and find that it can.",
        "Under the hood, Tern is a plain {}.",
        "Where others use a copula, we train a {}.",
        "Model type: {}",
    ],
)
def test_a_family_in_the_role_of_the_release_is_its_component(frame):
    found = {family: read_release(frame.format(n)).paradigms for family, n in FAMILIES.items()}
    assert found == {family: (family,) for family in FAMILIES}
