"""Fresh captions must be true of the fresh pictures."""

import torch

from genlab.data.captioned import Attributes, load_captioned, measure_colour
from genlab.data.captions import decode, read, write
from genlab.systems.captioned_batches import captioned_batch


def test_fresh_captions_are_true_of_the_fresh_pictures():
    grey, attributes = load_captioned("test", 16)
    grey, columns = grey[:200], torch.stack(attributes, 1)[:200]
    x, rows = captioned_batch(1.0, 1.0, torch.Generator().manual_seed(5))((grey, columns))
    assert x.min() == -1
    colour = measure_colour((x + 1) / 2)
    told = Attributes(columns[:, 0], colour, columns[:, 2], columns[:, 3])
    assert decode(rows) == write(told)
    assert not torch.equal(colour, columns[:, 1])


def test_words_are_left_out_as_often_as_asked():
    grey, attributes = load_captioned("test", 16)
    batch = grey, torch.stack(attributes, 1)
    _, rows = captioned_batch(0.5, 0.8, torch.Generator().manual_seed(0))(batch)
    claims = [read(c) for c in decode(rows)]
    said_slant = sum(c.slant is not None for c in claims) / 1000
    strokes = sum(c.stroke is not None for c in claims) / 1000
    assert abs(said_slant - 0.8) < 0.04
    assert abs(strokes - 0.5 * float((attributes.stroke != 1).double().mean())) < 0.05
