"""The recipe of text to video: stills first, and videos from one noise."""

import pytest
import torch

from genlab.systems.evaluation import balanced_claims
from genlab.systems.text_to_video import TextToVideo
from genlab.zoo import find, text_to_video
from tests.support.recipes import tiny


@pytest.mark.parametrize("warmup", [2, 4])
def test_both_parts_of_a_video_run_warm_up_as_the_row_says(monkeypatch, warmup):
    asked, train = [], text_to_video.by_loss
    monkeypatch.setattr(
        text_to_video, "by_loss", lambda *a, **k: asked.append(k["plan"]) or train(*a, **k)
    )
    row = tiny("text_to_video", n_steps=20, n_stills=10, warmup=warmup, lr=1.0)
    row.train(row.untrained())
    rises = [asked[0].lr(k) for k in (0, 10)]  # the first step of each part
    assert rises == pytest.approx([1 / warmup] * 2)
    assert find("text_to_video").settings["warmup"] == 50


def test_stills_come_first_and_then_videos(monkeypatch):
    row, shapes = tiny("text_to_video", batch_size=2), []
    model = row.untrained()
    plain = model.net.forward
    monkeypatch.setattr(
        model.net, "forward", lambda x, *a, **k: shapes.append(x.shape[:3]) or plain(x, *a, **k)
    )
    list(row.train(model))
    assert shapes == 2 * [(6, 3, 1)] + 2 * [(2, 3, 8)]


def test_videos_of_the_card_are_of_single_precision_and_share_noise_where_asked(monkeypatch):
    model, claims = tiny("text_to_video").untrained().double(), balanced_claims(2)
    videos = text_to_video.draw_videos(model, claims)
    assert videos.dtype == torch.float32
    assert torch.equal(videos, text_to_video.draw_videos(model, claims))
    assert torch.get_default_dtype() == torch.float64
    monkeypatch.setattr(TextToVideo, "draw", lambda self, captions, *, noise, **options: noise)
    shared, apart = (
        text_to_video.draw_videos(model, claims, shared=same) for same in (True, False)
    )
    assert torch.equal(shared, shared[:, :, :1].expand_as(shared))
    assert not torch.equal(apart, apart[:, :, :1].expand_as(apart))
    assert not torch.equal(shared, shared[:, :1].expand_as(shared))
    assert not torch.equal(shared[0], shared[1])
