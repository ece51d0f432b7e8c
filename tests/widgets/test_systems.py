"""The widget that draws a caption: each control is seen, and a wrong word is answered."""

import re

import pytest
import torch

from genlab.systems.glide import Glide
from genlab.zoo import find, load_model
from genlab_course import widgets
from genlab_course.widgets.systems import ALONE

START = {
    "explorer": {"prompt": "a thin red seven leaning right", "w": 3.0, "s": 0.1, "seed": 1},
    "painter": {"prompt": "a red three", "w": 2.0, "steps": 6, "noise": 1},
    "strip": {"prompt": "a red seven moving left", "frame": 0, "seed": 1, "how": "together"},
    "both": {"prompt": "a thin", "temperature": 10.0, "guidance": 2.0, "seed": 1},
}
MOVED = {
    "explorer": {"prompt": "a blue seven", "w": 6.0, "s": 0.4, "seed": 2},
    "painter": {"prompt": "a blue two above a red one", "w": 6.0, "steps": 3, "noise": 2},
    "strip": {"prompt": "A blue two turning.", "frame": 5, "seed": 3, "how": ALONE},
    "both": {"prompt": "a blue", "temperature": 0.1, "seed": 5},
}


def seven(grey):
    """A judge that reads every picture as a seven."""
    return torch.full((len(grey),), 7)


TINY = {"width": 8, "d_text": 8, "n_layer": 1}


@pytest.fixture(scope="module")
def explorer():
    torch.set_default_dtype(torch.float32)
    stages = [find(f"glide_{k}").but(**TINY).untrained().eval() for k in ("base", "upsampler")]
    torch.manual_seed(0)
    for stage in stages:
        for p in stage.parameters():  # untrained networks predict zero: move them
            p.data.add_(0.2 * torch.randn_like(p))
    return widgets.caption_sampler(Glide(*stages), seven)


@pytest.fixture(autouse=True)
def single_precision():
    torch.set_default_dtype(torch.float32)


def test_the_text_counts_what_the_judge_reads(explorer):
    """This judge sees a seven everywhere: no zero is kept."""
    explorer.set(**START["explorer"] | {"prompt": "a red zero"})
    assert "0 of 3 keep every word" in explorer.text
    assert re.search(r"between the three \d\.\d{3}", explorer.text)


@pytest.fixture
def painter():
    torch.set_default_dtype(torch.float32)
    model = find("latent_diffusion").but(width=8, d_text=8).untrained().eval()
    generator = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.data = 0.2 * torch.randn(p.shape, generator=generator)
    return widgets.latent_sampler(model, seven)


def test_the_verdict_names_the_words_that_were_broken(painter):
    painter.set(prompt="a red three")
    assert "reads: a" in painter.text
    assert "seven" in painter.text
    assert "broken: digit" in painter.text


@pytest.mark.parametrize(("w", "passes"), [(1.0, 6), (2.0, 12), (0.0, 12)])
def test_a_guided_step_asks_twice(painter, w, passes):
    painter.set(w=w, steps=6)
    assert f"{passes} evaluations of the network, one of the decoder" in painter.text


@pytest.fixture(scope="module")
def strip():
    torch.set_default_dtype(torch.float32)
    maker = find("text_to_video").but(width=8, d_text=8).untrained().eval()
    for p in maker.parameters():
        p.data += 0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    return widgets.video_frames(maker)


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
def both():
    model = (
        find("language_and_image")
        .but(d_model=16, n_layer=1, width=8, mults=(1, 1), seed=3)
        .untrained()
        .eval()
    )
    return widgets.write_and_draw(model.float())


def written(both):
    return re.search("“(.*?)”", both.text)[1]


def test_guidance_changes_what_is_drawn_and_not_what_is_written(both):
    both.set(prompt="a red", temperature=1.0, guidance=2.0)
    seed = next(s for s in range(31) if (both.set(seed=s), "drawn from" in both.text)[1])
    text = written(both)
    both.set(seed=seed, guidance=0.0)
    assert written(both) == text


@pytest.mark.parametrize(
    ("name", "moved"), [(name, {k: v}) for name, moves in MOVED.items() for k, v in moves.items()]
)
def test_each_control_changes_the_picture(name, moved, request):
    widget = request.getfixturevalue(name)
    widget.set(**START[name])
    before = widget.picture
    widget.set(**moved)
    assert widget.picture != before
    widget.set(**START[name])
    assert widget.picture == before


@pytest.mark.parametrize(
    ("name", "prompt", "said"),
    [
        ("explorer", "a purple seven", ("Not drawn", "purple", "one of")),
        ("explorer", "", ("Not drawn", "nothing", "one of")),
        ("explorer", "a <b>", ("Not drawn", "&lt;b&gt;", "one of")),
        ("painter", "a pink elephant", ("Not drawn", "pink")),
        ("strip", "a <b>pink</b> elephant", ("another language", "&lt;b&gt;pink")),
        ("both", "a purple", ("'purple'", "nothing is written")),
    ],
)
def test_a_word_outside_of_the_language_is_answered_and_stops_nothing(name, prompt, said, request):
    widget = request.getfixturevalue(name)
    widget.set(**START[name])
    picture, text = widget.picture, widget.text
    widget.set(prompt=prompt)
    assert all(part in widget.text for part in said)
    assert widget.picture == picture or name == "both"
    widget.set(**START[name])
    assert widget.text == text
