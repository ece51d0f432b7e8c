"""Predictions are kept before a lesson answers, and shown where it does."""

import json
import math

import pytest

import genlab_course as course
from genlab_course import classroom, grading
from genlab_course.answers import LOG
from genlab_course.copies import as_bytes, prepare
from genlab_course.grading import Prediction
from genlab_course.standings import asked

STEPS = Prediction("12.predict-lost", choices=("35", "60", "90"), unit="steps")
LOSS = Prediction("12.predict-loss", between=(0, 2))
BANK = {p.id: p for p in (STEPS, LOSS)}


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


@pytest.mark.parametrize("answer", [60, 60.0, "60", " 60 "])
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
