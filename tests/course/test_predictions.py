"""Predictions are kept before a lesson answers, and shown where it does."""

import json
import math
import re
from pathlib import Path

import pytest

import genlab_course as course
from genlab_course import classroom, grading
from genlab_course.answers import LOG
from genlab_course.copies import as_bytes, prepare
from genlab_course.grading import Prediction
from genlab_course.places import shipped
from genlab_course.standings import asked

STEPS = Prediction("12.predict-lost", choices=("35", "60", "90"), unit="steps")
LOSS = Prediction("12.predict-loss", between=(0, 2))
WIDE = Prediction("12.predict-wide", between=(0, 2), unit="nats")
ROOT = Path(__file__).resolve().parents[2]
BANK = {p.id: p for p in (STEPS, LOSS, WIDE)}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Return a folder of working copies in which the kernel runs, with two predictions known."""
    prepare(tmp_path / "my")
    monkeypatch.setenv("GENLAB_MY", str(tmp_path / "my"))
    monkeypatch.setattr(grading, "find_prediction", BANK.__getitem__)
    monkeypatch.setattr(grading, "_predicted", {})
    return tmp_path / "my"


def said(capsys):
    """Return what has been printed."""
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("answer", [60, 60.0, "60", " 60 ", "60 steps"])
def test_a_prediction_is_noted_and_shown_again_beside_the_answer(mine, capsys, answer):
    course.exercise("12.predict-lost", answer)
    assert said(capsys) == "[12.predict-lost] noted: you predict 60 steps"
    course.predicted("12.predict-lost", 37)
    assert said(capsys) == "[12.predict-lost] predicted: you said 60 steps; here it is 37 steps"


@pytest.mark.parametrize("blank", [None, ...])
def test_without_a_prediction_the_answer_stands_alone(mine, capsys, blank):
    course.exercise("12.predict-lost", blank)
    assert said(capsys) == "[12.predict-lost] not attempted"
    course.predicted("12.predict-lost", 37)
    assert said(capsys) == "[12.predict-lost] predicted: you said nothing; here it is 37 steps"


def test_a_number_is_rounded_as_it_is_shown_and_words_stay(mine, capsys):
    course.exercise("12.predict-loss", 0.25)
    course.predicted("12.predict-loss", "about 0.07")
    assert said(capsys).endswith("predicted: you said 0.25; here it is about 0.07")


@pytest.mark.parametrize("edge", [0, 2])
def test_both_ends_of_a_span_can_be_predicted_and_a_number_has_its_unit(mine, capsys, edge):
    course.exercise("12.predict-wide", edge)
    assert said(capsys) == f"[12.predict-wide] noted: you predict {edge} nats"
    course.predicted("12.predict-wide", 0.12345)
    assert said(capsys).endswith(f"you said {edge} nats; here it is 0.123 nats")


def test_the_last_prediction_counts_and_one_that_cannot_be_read_changes_nothing(mine, capsys):
    for answer in (35, 90, "often"):
        course.exercise("12.predict-lost", answer)
    capsys.readouterr()
    course.predicted("12.predict-lost", 37)
    assert "you said 90 steps" in said(capsys)


def test_each_prediction_of_an_earlier_kernel_is_its_own(mine, capsys):
    course.exercise("12.predict-lost", 35)
    course.exercise("12.predict-wide", 1)
    grading._predicted.clear()
    capsys.readouterr()
    course.predicted("12.predict-lost", 37)
    assert "you said 35 steps" in said(capsys)


def test_without_a_folder_a_prediction_lasts_as_long_as_the_kernel(mine, monkeypatch, capsys):
    monkeypatch.setattr(grading, "folder", lambda: None)
    course.predicted("12.predict-lost", 37)
    assert "you said nothing" in said(capsys)
    course.exercise("12.predict-lost", 35)
    course.predicted("12.predict-lost", 37)
    assert "you said 35 steps" in said(capsys)


def test_a_prediction_that_cannot_be_kept_says_why(mine, monkeypatch, capsys):
    monkeypatch.setattr(grading, "record", lambda *given, **named: "the disk is full")
    course.exercise("12.predict-lost", 35)
    assert said(capsys).splitlines()[-1] == "the disk is full"


def test_every_prediction_that_a_notebook_asks_for_is_in_its_bank():
    texts = [path.read_text(encoding="utf-8") for path in shipped().values()]
    ids = [
        id for text in texts for id in re.findall(r"exercise\(\\\"([\w.-]+\.predict-[\w-]+)", text)
    ]
    assert len(ids) > 27
    assert len(ids) == len(set(ids))
    assert [grading.find_prediction(id).id for id in ids] == ids


@pytest.mark.parametrize(
    ("id", "answer", "says"),
    [
        ("12.predict-lost", 50, "choose one of 35, 60, 90"),
        ("12.predict-lost", [60], "choose one of 35, 60, 90"),
        ("12.predict-loss", 3, "predict a number from 0 to 2, such as 1"),
        ("12.predict-loss", math.nan, "predict a number from 0 to 2, such as 1"),
        ("12.predict-loss", "low", "predict a number from 0 to 2, such as 1"),
    ],
)
def test_what_cannot_be_a_prediction_is_told_what_can(mine, capsys, id, answer, says):
    course.exercise(id, answer)
    assert said(capsys) == f"[{id}] not yet: {says}"
    assert not (mine / LOG).exists()


def test_a_prediction_outlives_the_kernel(mine, capsys):
    course.exercise("12.predict-lost", 35)
    course.exercise("12.predict-lost", 90)
    grading._predicted.clear()  # a new kernel
    course.predicted("12.predict-lost", 37)
    assert "you said 90 steps" in said(capsys)
    kept = [json.loads(line) for line in (mine / LOG).read_text().splitlines() if line]
    assert [entry["guess"] for entry in kept] == ["35 steps", "90 steps"]
    assert all(entry["right"] is True for entry in kept)  # asked and answered, not judged


def test_a_prediction_counts_as_no_exercise(tmp_path):
    source = tmp_path / "notebooks"
    cells = ["course.exercise('02.predict-x', ...)", "course.exercise('02.loss', ...)"]
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    notebook = {"cells": [cell | {"source": c} for c in cells], "metadata": {}, "nbformat": 4}
    source.mkdir()
    (source / "02_autoregressive.ipynb").write_bytes(as_bytes(notebook | {"nbformat_minor": 5}))
    assert asked(source)["02"].exercises == ["02.loss"]
    assert classroom.to_answer('course.exercise("02.predict-x", ...)') == []
    assert classroom.to_answer('course.exercise("02.loss", my_loss)') == [("02.loss", "my_loss")]


def test_the_id_of_a_prediction_tells_that_it_is_one():
    with pytest.raises(ValueError, match=r"holds '.predict-', got '12.lost'"):
        Prediction("12.lost")


def test_a_prediction_that_no_bank_has_is_answered_with_those_of_its_lesson():
    with pytest.raises(ValueError, match=r"no prediction '12.predict-nothing'; there are: "):
        grading.find_prediction("12.predict-nothing")


def test_no_id_of_a_bank_is_given_twice_and_only_predictions_have_their_mark():
    ids = [e.id for e in grading.all_exercises()]
    assert not [id for id in ids if ".predict-" in id]
    assert len(ids) == len(set(ids))


def test_every_choice_that_a_cell_of_a_notebook_names_is_accepted():
    cell = re.compile(r'course\.exercise\("([^"]+\.predict-[^"]+)", \.\.\.\)  # (.*)')
    sources = sorted((ROOT / "notebooks").rglob("src/*.py"))
    cells = [found for path in sources for found in cell.findall(path.read_text("utf-8"))]
    named = {id: re.findall(r'"([^"]+)"', comment) for id, comment in cells}
    assert named["01.predict-gap"]
    for id, words in named.items():
        for word in words:
            assert grading.find_prediction(id).read(word).startswith(word)
