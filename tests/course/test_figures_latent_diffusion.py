"""The pictures of the latent diffusion lab show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from genlab_course.figures import latent_diffusion as pictures


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_pictures_side_by_side_keep_their_pixels_between_white_gutters():
    sheet = pictures.tiled(torch.zeros(3, 3, 4, 4), n_columns=3, gap=1)
    assert sheet.shape == (6, 18, 3)
    assert (sheet == 0).sum() == 3 * 3 * 4 * 4
    assert (sheet[0] == 1).all()


def test_a_picture_that_does_not_fit_has_a_red_frame_and_a_torn_one_a_blue_frame():
    fits, torn = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0])
    figure = pictures.wall(torch.ones(3, 3, 8, 8), fits, torn, n_columns=3)
    shown = figure.axes[0].images[0].get_array().reshape(14, 3, 14, 3)  # row, picture, column
    for colour, framed in (("#D55E00", [0, 80, 0]), ("#0072B2", [0, 0, 80])):
        ink = (np.abs(shown - to_rgb(colour)) < 1e-6).all(-1)
        assert ink.sum((0, 2)).tolist() == framed  # 12 x 12 less 8 x 8


def test_the_notes_of_a_wall_stand_below_it():
    figure = pictures.wall(torch.ones(2, 3, 8, 8), torch.ones(2), torch.zeros(2), ["one", "two"], 2)
    assert figure.get_supxlabel() == "one\ntwo"


def test_each_row_of_attention_maps_is_named_and_shows_its_own_weights():
    maps = torch.arange(64.0).reshape(2, 2, 4, 4)
    figure = pictures.attention_maps(torch.ones(2, 3, 8, 8), ["a", "b"], maps, ["one", "two"])
    assert [ax.get_ylabel() for ax in figure.axes] == ["one", "", "", "two", "", ""]
    shown = [figure.axes[k].images[0].get_array() for k in (1, 2, 4, 5)]
    assert np.array_equal(np.stack(shown), maps.reshape(4, 4, 4))


def test_the_system_names_the_five_layers_that_read():
    figure = pictures.machine(
        torch.rand(3, 32, 32), torch.randn(4, 8, 8), torch.randn(4, 8, 8), "a"
    )
    said = [text.get_text() for text in figure.axes[0].texts]
    assert [k for k in said if k.isdigit()] == ["1", "2", "3", "4", "5"]


def test_a_table_shows_each_fraction_as_a_whole_percentage():
    _, ax = plt.subplots()
    pictures.heat(ax, torch.tensor([[0.0, 0.126], [0.999, 0.5]]), ["a", "b"], ["c", "d"])
    assert [text.get_text() for text in ax.texts] == ["0", "13", "100", "50"]


def test_the_rows_of_the_layer_table_name_single_layers_and_groups():
    figure = pictures.layer_table(torch.rand(3, 3), [(1,), (4,), (4, 5)])
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["1: 8 x 8, down", "4: 4 x 4, up", "4 + 5"]


@pytest.mark.parametrize(
    ("caption", "shown"),
    [
        ("a red seven left of a blue three", "a red seven left of\na blue three"),
        ("a red seven above a blue three", "a red seven above\na blue three"),
        ("a red seven", "a red seven"),
    ],
)
def test_a_caption_is_broken_after_its_relation(caption, shown):
    assert pictures.two_lines(caption) == shown


def test_every_other_picture_is_drawn_from_data_of_the_labs_shapes():
    x, z = torch.rand(6, 3, 32, 32), torch.randn(4, 8, 8)
    figures = [
        pictures.captioned(x, ["a red seven above a blue three"] * 6, 3),
        pictures.codec(x[:5], x[:5], z, x[:3]),
        pictures.word_matrix(torch.rand(6, 5), list("abcde")),
        pictures.attention_maps(x[:2], ["a", "red"], torch.rand(2, 2, 4, 4), ["one", "two"]),
        pictures.machine(x[0], z, z, "a red seven"),
    ]
    assert [len(figure.axes) for figure in figures] == [6, 3, 1, 6, 1]
