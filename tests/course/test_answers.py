"""What was answered is kept: by whom, once for good, and whatever happens to the kernel."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

import genlab_course as course
from genlab_course import widgets
from genlab_course.answers import LOG, Answered, answered, record
from genlab_course.grading import find_exercise
from genlab_course.places import MARK


@pytest.fixture
def copies(tmp_path):
    """A folder of working copies."""
    (tmp_path / "my" / "systems").mkdir(parents=True)
    (tmp_path / "my" / MARK).write_text("{}")
    return tmp_path / "my"


def test_right_once_is_right_for_good_and_tries_are_counted(copies):
    for right in (False, True, False):
        record("02.sequence-nll", right, copies)
    record("02.quiz.1", False, copies)
    assert answered(copies) == {
        "02.sequence-nll": Answered(True, 3),
        "02.quiz.1": Answered(False, 1),
    }


def test_nothing_is_written_outside_of_working_copies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record("02.sequence-nll", True)
    assert list(tmp_path.iterdir()) == []


def test_an_exercise_keeps_right_and_wrong_answers_and_prints_what_it_always_did(
    copies, monkeypatch, capsys
):
    task = find_exercise("02.sequence-nll")
    course.exercise(task.id, None)
    course.exercise(task.id, task.right)
    before = capsys.readouterr()
    monkeypatch.chdir(copies / "systems")
    course.exercise(task.id, None)
    assert answered(copies) == {}
    course.exercise(task.id, task.right)
    after = capsys.readouterr()
    assert (after.out, after.err) == (before.out, before.err)
    assert answered(copies) == {task.id: Answered(True, 1)}


def test_a_quiz_keeps_the_options_that_were_chosen(copies, monkeypatch):
    monkeypatch.chdir(copies)
    for lesson, name in ((3, "03"), ("language_model", "language_model")):
        card = widgets.quiz(lesson).cards[1]
        rights = [option.right for option in card.question.options]
        card.choose(rights.index(False))
        assert answered(copies)[f"{name}.quiz.2"] == Answered(False, 1)
        card.buttons[rights.index(True)].value = True
        assert answered(copies)[f"{name}.quiz.2"].right


def test_a_kernel_that_is_killed_loses_nothing(copies):
    program = (
        "import os, signal; from genlab_course.answers import record\n"
        "record('a', True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=copies, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert answered(copies) == {"a": Answered(True, 1)}


def test_a_line_that_was_cut_short_costs_that_line_only(copies):
    record("a", True, copies)
    with (copies / LOG).open("ab") as log:
        log.write(b'{"id": "b", "rig\xff')
    record("c", True, copies)
    with (copies / LOG).open("a") as log:
        log.write('\n[1]\n{"id": 3}\n"x"\n' + "[" * 100_000 + "\n")
    assert answered(copies) == {"a": Answered(True, 1), "c": Answered(True, 1)}


def many(copies, name):
    for k in range(50):
        record(f"{name}.{k}", True, copies)


def test_two_kernels_at_once_mix_no_lines(copies):
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=many, args=(copies, name)) for name in "ab"]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert len(answered(copies)) == 100


def test_a_disk_that_cannot_be_written_stops_no_lesson(copies, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    record("a", True, copies)
    (copies / LOG).unlink()
    (copies / LOG).mkdir()
    record("a", True, copies)
    assert answered(copies) == {}
    assert capsys.readouterr() == ("", "")
