"""The dial of a row: four sizes, one rule for their numbers, and names for what was chosen."""

import pytest
import torch
from typer.testing import CliRunner

from genlab.cli import app
from genlab.core.weights import read_card
from genlab.zoo import find, load_model
from genlab.zoo.train import train

ROW = find("digits16")


def said(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(("size", "smaller"), [("M", "S"), ("L", "M"), ("XL", "L")])
def test_a_size_follows_from_the_one_below(size, smaller):
    big, small = (ROW.at(s).settings for s in (size, smaller))
    for doubled in ("width", "batch_size", "n_steps", "warmup"):
        assert big[doubled] == 2 * small[doubled]
    assert big["depth"] == small["depth"] + 1
    assert 1 - big["average"] == pytest.approx((1 - small["average"]) / 2)
    with torch.device("meta"):  # shapes are enough to count
        assert 5 < ROW.at(size).size / ROW.at(smaller).size < 7


@pytest.mark.parametrize("size", ROW.dial)
def test_the_rate_follows_width_and_batch(size):
    used = ROW.at(size).settings
    rule = 3e-3 * (24 / used["width"]) * (used["batch_size"] / 64) ** 0.5
    assert used["lr"] == pytest.approx(rule, rel=0.03)
    assert used["warmup"] == used["n_steps"] / 10
    assert 1 / (1 - used["average"]) == pytest.approx(used["n_steps"] / 5)


def test_the_row_itself_is_the_smallest_size():
    assert ROW.at("S") == ROW
    assert 150_000 < ROW.size < 200_000


@pytest.fixture
def quick(monkeypatch):
    torch.set_default_dtype(torch.float32)
    monkeypatch.setattr("genlab.zoo.recipe.Recipe.figures", lambda *_: {"test_loss": 1.0})
    for settings in ROW.dial.values():
        monkeypatch.setitem(settings, "batch_size", 4)
        monkeypatch.setitem(settings, "width", settings["width"] // 2)


@pytest.mark.usefixtures("quick")
def test_a_card_names_the_size_and_its_weights_are_loaded_by_it(tmp_path):
    call = ("train", "digits16", "--size", "M", "--steps", 1, "--out", tmp_path)
    code, text = said(*call)
    assert code == 0, text
    card = read_card(path := tmp_path / "digits16.safetensors")
    assert card["recipe"] == "genlab train digits16 --size M --steps 1"
    assert card["settings"]["width"] == ROW.dial["M"]["width"]
    assert ROW.at("M").load(path).net.config.width == ROW.dial["M"]["width"]


@pytest.mark.usefixtures("quick")
def test_a_checkpoint_of_another_size_is_refused(tmp_path):
    path = tmp_path / "digits16.safetensors"
    assert train(ROW.at("S"), path, n_steps=3, watch=lambda *_: True) is None
    code, text = said("train", "digits16", "--size", "M", "--steps", 3, "--out", tmp_path)
    assert code == 1
    assert "digits16.checkpoint belongs to another run" in text
    assert "--size: S there, M here" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["digits16", "--size", "XS"], "digits16 has the sizes S, M, L, XL, not XS"),
        (["digit_gan", "--size", "S"], "digit_gan has one size, and one process trains it"),
        (["digit_gan", "--size", "S"], "only digits16 has sizes"),
    ],
)
def test_a_size_that_is_not_there_is_answered_by_those_that_are(arguments, sentence):
    code, text = said("train", *arguments)
    assert (code, sentence in text) == (1, True), text


def test_a_model_that_does_not_ship_says_how_it_is_made():
    with pytest.raises(FileNotFoundError, match="`genlab train digits16 --force --out"):
        load_model("digits16")
    code, text = said("systems", "digits16")
    assert (code, "genlab train digits16" in text) == (1, True), text
    assert "digits16" not in said("systems")[1]
