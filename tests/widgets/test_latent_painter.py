"""The widget of the latent painter: captions, guidance and steps move the picture."""

import pytest
import torch

from genlab import widgets
from genlab.systems.latent_diffusion_models import Recipe, VAERecipe, latent_diffusion, latent_vae


class Reader:
    """A judge that reads every picture as a seven."""

    def __call__(self, grey):
        return torch.full((len(grey),), 7)


@pytest.fixture
def explorer():
    torch.set_default_dtype(torch.float32)
    model = latent_diffusion(Recipe(width=8, d_text=8), latent_vae(VAERecipe(width=8))).eval()
    generator = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.data = 0.2 * torch.randn(p.shape, generator=generator)
    return widgets.latent_painter(model, Reader())


@pytest.mark.parametrize(
    "moved", [{"prompt": "a bold blue two upright"}, {"w": 6.0}, {"steps": 3}, {"noise": 2}]
)
def test_each_control_changes_the_picture(explorer, moved):
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before


def test_the_verdict_names_the_words_that_were_broken(explorer):
    explorer.set(prompt="a red three")
    assert "judged: a" in explorer.text
    assert "seven" in explorer.text
    assert "broken: digit" in explorer.text


@pytest.mark.parametrize(("w", "passes"), [(1.0, 6), (2.0, 12), (0.0, 6)])
def test_a_guided_step_asks_twice(explorer, w, passes):
    explorer.set(w=w, steps=6)
    assert f"{passes} passes of the U-Net, one of the decoder" in explorer.text


def test_a_caption_in_another_language_is_explained_and_not_painted(explorer):
    before = explorer.picture
    explorer.set(prompt="a pink elephant")
    assert "not painted" in explorer.text
    assert "'pink'" in explorer.text
    assert explorer.picture == before


def test_capitals_and_a_full_stop_do_not_matter(explorer):
    explorer.set(prompt="a red three")
    plain = explorer.picture
    explorer.set(prompt="A red three.", noise=1)
    assert explorer.picture == plain
