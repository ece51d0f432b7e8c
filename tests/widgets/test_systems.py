"""The widget that draws a caption: each control is seen, and a wrong word is answered."""

import re

import pytest
import torch

from genlab.systems.glide import Glide
from genlab.zoo import find, load_model
from genlab_course import widgets
from genlab_course.widgets.systems import ALONE, SHARED, canvas

TINY = {"width": 8, "d_text": 8, "n_layer": 1}


@pytest.fixture(scope="module")
def explorer():
    torch.set_default_dtype(torch.float32)
    stages = [find(f"glide_{k}").but(**TINY).untrained().eval() for k in ("base", "upsampler")]
    torch.manual_seed(0)
    for stage in stages:
        for p in stage.parameters():  # untrained networks predict zero: move them
            p.data.add_(0.2 * torch.randn_like(p))
    return widgets.caption_sampler(Glide(*stages), lambda grey: torch.full((len(grey),), 7))


@pytest.fixture(autouse=True)
def single_precision():
    torch.set_default_dtype(torch.float32)


START = {"prompt": "a thin red seven leaning right", "w": 3.0, "s": 0.1, "seed": 1}


@pytest.mark.parametrize(
    "moved", [{"prompt": "a blue seven"}, {"w": 6.0}, {"s": 0.4}, {"seed": 2}], ids=str
)
def test_each_control_changes_the_picture(explorer, moved):
    explorer.set(**START)
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("a purple seven", "purple"), ("a red cat", "cat"), ("", "nothing"), ("a <b>", "&lt;b&gt;")],
)
def test_a_word_outside_of_the_language_is_answered_and_nothing_is_drawn(explorer, prompt, said):
    explorer.set(**START)
    before = explorer.picture
    explorer.set(prompt=prompt)
    assert "Not drawn" in explorer.text
    assert said in explorer.text
    assert "one of" in explorer.text
    assert explorer.picture == before


def test_capitals_and_a_full_stop_are_read(explorer):
    explorer.set(**START)
    first = explorer.text
    explorer.set(prompt="A thin RED seven leaning right.")
    assert explorer.text == first


def test_the_text_counts_what_the_judge_reads(explorer):
    """This judge sees a seven everywhere: no zero is kept."""
    explorer.set(**START | {"prompt": "a red zero"})
    assert "0 of 3 keep every word" in explorer.text
    assert re.search(r"between the three \d\.\d{3}", explorer.text)


@pytest.mark.slow
def test_guidance_does_not_take_the_ink_away():
    glide = Glide(load_model("glide_base"), load_model("glide_upsampler"))
    shipped = widgets.caption_sampler(glide, lambda grey: torch.full((len(grey),), 7))

    def ink(w):
        shipped.set(w=w)
        return sum(float(ax.images[0].get_array().max(-1).mean()) for ax in shipped._figure.axes)

    free = ink(1.0)
    assert all(0.7 * free < ink(w) < 1.5 * free for w in (3.0, 6.0, 10.0))


class Reader:
    """A judge that reads every picture as a seven."""

    def __call__(self, grey):
        return torch.full((len(grey),), 7)


@pytest.fixture
def explorer_latent_painter():
    torch.set_default_dtype(torch.float32)
    model = find("latent_diffusion").but(width=8, d_text=8).untrained().eval()
    generator = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.data = 0.2 * torch.randn(p.shape, generator=generator)
    return widgets.latent_sampler(model, Reader())


@pytest.mark.parametrize(
    "moved", [{"prompt": "a blue two above a red one"}, {"w": 6.0}, {"steps": 8}, {"noise": 2}]
)
def test_each_control_changes_the_picture_latent_painter(explorer_latent_painter, moved):
    before = explorer_latent_painter.picture
    explorer_latent_painter.set(**moved)
    assert explorer_latent_painter.picture != before


def test_the_verdict_names_the_words_that_were_broken(explorer_latent_painter):
    explorer_latent_painter.set(prompt="a red three")
    assert "reads: a" in explorer_latent_painter.text
    assert "seven" in explorer_latent_painter.text
    assert "broken: digit" in explorer_latent_painter.text


@pytest.mark.parametrize(("w", "passes"), [(1.0, 6), (2.0, 12), (0.0, 12)])
def test_a_guided_step_asks_twice(explorer_latent_painter, w, passes):
    explorer_latent_painter.set(w=w, steps=6)
    said = f"{passes} evaluations of the network, one of the decoder"
    assert said in explorer_latent_painter.text


def test_a_caption_in_another_language_is_explained_and_not_painted(explorer_latent_painter):
    before = explorer_latent_painter.picture
    explorer_latent_painter.set(prompt="a pink elephant")
    assert "Not drawn" in explorer_latent_painter.text
    assert "pink" in explorer_latent_painter.text
    assert explorer_latent_painter.picture == before


def test_capitals_and_a_full_stop_do_not_matter(explorer_latent_painter):
    explorer_latent_painter.set(prompt="a red three")
    plain = explorer_latent_painter.picture
    explorer_latent_painter.set(prompt="A red three.", noise=1)
    assert explorer_latent_painter.picture == plain


@pytest.fixture(scope="module")
def explorer_film_strip():
    torch.set_default_dtype(torch.float32)
    maker = find("text_to_video").but(width=8, d_text=8).untrained().eval()
    for p in maker.parameters():
        p.data += 0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    return widgets.video_frames(maker)


@pytest.mark.parametrize(
    "moved",
    [{"frame": 5}, {"seed": 3}, {"how": ALONE}, {"how": SHARED}, {"prompt": "A blue two turning."}],
)
def test_each_control_changes_the_picture_film_strip(explorer_film_strip, moved):
    start = {"frame": 0, "seed": 1, "how": "together", "prompt": "a red seven moving left"}
    explorer_film_strip.set(**start)
    before = explorer_film_strip.picture
    explorer_film_strip.set(**moved)
    assert explorer_film_strip.picture != before
    explorer_film_strip.set(**start)
    assert explorer_film_strip.picture == before


def test_another_language_is_refused_politely(explorer_film_strip):
    explorer_film_strip.set(prompt="a red seven moving left")
    before = explorer_film_strip.picture
    explorer_film_strip.set(prompt="a <b>pink</b> elephant")
    assert "another language" in explorer_film_strip.text
    assert "<b>pink" not in explorer_film_strip.text
    assert explorer_film_strip.picture == before
    explorer_film_strip.set(prompt="a red seven moving left")
    assert "unexplained" in explorer_film_strip.text


def test_frames_stand_side_by_side():
    film = torch.rand(3, 2, 4, 4)
    picture = canvas(film)
    torch.testing.assert_close(picture[:, :4], film[:, 0].permute(1, 2, 0))
    torch.testing.assert_close(picture[:, 5:], film[:, 1].permute(1, 2, 0))
    assert picture[:, 4].min() == 1


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["left", "right", "up", "down"])
def test_so_few_steps_lose_no_motion(motion):
    """The shipped model, three seeds: what is measured in the film is what the caption says."""
    torch.set_default_dtype(torch.float32)
    shipped = widgets.video_frames(load_model("text_to_video"), f"a red seven moving {motion}")
    for seed in (1, 2, 3):
        shipped.set(seed=seed)
        assert f"Measured: moving {motion}." in shipped.text


@pytest.fixture(scope="module")
def explorer_write_and_draw():
    model = (
        find("language_and_image")
        .but(d_model=16, n_layer=1, width=8, mults=(1, 1), seed=3)
        .untrained()
        .eval()
    )
    return widgets.write_and_draw(model.float())


def written(explorer_write_and_draw):
    return re.search("“(.*?)”", explorer_write_and_draw.text)[1]


def test_what_is_written_begins_with_the_prompt(explorer_write_and_draw):
    explorer_write_and_draw.set(prompt="a bold cyan", temperature=1.0, guidance=2.0, seed=1)
    assert written(explorer_write_and_draw).startswith("a bold cyan ")


def test_no_prompt_is_a_prompt(explorer_write_and_draw):
    explorer_write_and_draw.set(prompt="", seed=2)
    assert written(explorer_write_and_draw)


@pytest.mark.parametrize("moved", [{"prompt": "a blue"}, {"temperature": 0.1}, {"seed": 5}])
def test_each_control_of_the_text_changes_the_picture(explorer_write_and_draw, moved):
    explorer_write_and_draw.set(prompt="a thin", temperature=10.0, guidance=2.0, seed=1)
    before = explorer_write_and_draw.picture
    explorer_write_and_draw.set(**moved)
    assert explorer_write_and_draw.picture != before


def test_guidance_changes_what_is_drawn_and_not_what_is_written(explorer_write_and_draw):
    explorer_write_and_draw.set(prompt="a red", temperature=1.0, guidance=2.0)
    seed = next(
        s
        for s in range(31)
        if (explorer_write_and_draw.set(seed=s), "drawn from" in explorer_write_and_draw.text)[1]
    )
    text = written(explorer_write_and_draw)
    explorer_write_and_draw.set(seed=seed, guidance=0.0)
    assert written(explorer_write_and_draw) == text


def test_without_an_image_token_nothing_is_drawn_and_the_caption_says_so(explorer_write_and_draw):
    """Untrained, one text in five meets the token: some seed does not."""
    explorer_write_and_draw.set(prompt="a", temperature=1.0, guidance=2.0)
    found = set()
    for seed in range(12):
        explorer_write_and_draw.set(seed=seed)
        found.add("no image token" in explorer_write_and_draw.text)
    assert True in found


def test_an_unknown_word_is_named_and_stops_nothing(explorer_write_and_draw):
    explorer_write_and_draw.set(prompt="a purple")
    assert "'purple'" in explorer_write_and_draw.text
    assert "nothing is written" in explorer_write_and_draw.text
    explorer_write_and_draw.set(prompt="a red")
    assert written(explorer_write_and_draw).startswith("a red")
