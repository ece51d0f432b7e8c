"""The receptive-field explorer, driven without a browser."""

import pytest

from genlab.widgets.receptive_field import NETWORKS, receptive_field


@pytest.fixture
def widget():
    return receptive_field()


def test_deep_two_stacks_read_the_whole_past(widget):
    widget.set(network="two stacks", layers=8, row=4, column=3)
    assert "35 others: 35 are read, 0 are out of reach" in widget.text


def test_a_raster_stack_has_a_blind_spot(widget):
    widget.set(network="one raster stack", layers=8, row=4, column=3)
    # rows 3, 2, 1, 0 above column 3 are read up to columns 4, 5, 6, 7: 3 + 2 + 1 + 0 are missed
    assert "29 are read, 6 are out of reach. Forbidden pixels read: 0." in widget.text


def test_without_a_mask_forbidden_pixels_are_read(widget):
    widget.set(network="no mask (bug)", layers=1, row=4, column=3)
    assert "Forbidden pixels read: 5." in widget.text  # itself, one to the right, three below


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("place", [(0, 0), (7, 7)])
@pytest.mark.parametrize("layers", [1, 8])
def test_every_corner_of_the_controls_works(widget, network, place, layers):
    widget.set(network=network, layers=layers, row=place[0], column=place[1])
    assert widget.picture.startswith(b"\x89PNG")


def test_moving_the_pixel_changes_the_picture(widget):
    widget.set(network="two stacks", layers=2, row=3, column=3)
    before = widget.picture
    widget.set(row=4)
    assert widget.picture != before
