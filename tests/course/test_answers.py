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


@pytest.fixture(autouse=True)
def new_session(monkeypatch):
    """Nothing has been said yet."""
    monkeypatch.setattr("genlab_course.answers._told", set())


def full(*_):
    raise OSError(28, "No space left on device")


def test_what_cannot_be_kept_is_said_once_with_the_folder_the_reason_and_what_to_do(
    copies, monkeypatch
):
    monkeypatch.setattr(os, "write", full)
    said = record("a", True, copies)
    assert said.startswith(f"your answers cannot be saved in {copies}: No space left on device. ")
    assert 'course.keep("another folder")' in said
    assert record("b", True, copies) == ""  # once a session
    assert answered(copies) == {}
    monkeypatch.undo()
    assert record("c", True, copies) == ""
    assert answered(copies) == {"c": Answered(True, 1)}


def test_a_folder_in_the_place_of_the_log_stops_no_lesson_either(copies):
    (copies / LOG).mkdir()
    assert "Is a directory" in record("a", True, copies)
    assert answered(copies) == {}


def test_a_line_of_which_only_a_part_could_be_written_is_not_taken_for_kept(copies, monkeypatch):
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:5]))
    assert "No space left on device" in record("a", True, copies)
    monkeypatch.undo()
    record("b", True, copies)
    assert answered(copies) == {"b": Answered(True, 1)}


def test_an_answer_is_forced_to_the_disk_before_it_counts_as_kept(copies, monkeypatch):
    """By a power cut only what is forced is not lost: the file is whole at that moment."""
    forced = []
    monkeypatch.setattr(os, "fsync", lambda file: forced.append(os.fstat(file)))
    record("a", True, copies)
    (at,) = forced
    assert (at.st_ino, at.st_size) == ((copies / LOG).stat().st_ino, (copies / LOG).stat().st_size)


def test_a_reply_and_a_quiz_say_that_the_answer_is_not_kept(copies, monkeypatch, capsys):
    monkeypatch.chdir(copies)
    monkeypatch.setattr(os, "write", full)
    course.exercise("02.sequence-nll", find_exercise("02.sequence-nll").right)
    assert "your answers cannot be saved" in capsys.readouterr().out
    monkeypatch.setattr("genlab_course.answers._told", set())
    card = widgets.quiz(3).cards[1]
    card.choose(0)
    assert "your answers cannot be saved" in card.reply.value
    card.choose(1)
    assert "saved" not in card.reply.value


def test_on_colab_one_is_told_once_that_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GENLAB_MY", raising=False)
    assert record("a", True) == ""  # a shipped notebook in the clone
    monkeypatch.setitem(sys.modules, "google.colab", os)
    said = record("a", True)
    assert "your answers are not saved: Colab deletes its disk" in said
    assert 'course.keep("/content/drive/MyDrive/genlab")' in said
    assert record("a", True) == ""


def test_a_drive_that_is_gone_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENLAB_MY", str(tmp_path / "drive"))
    said = record("a", True)
    assert f"GENLAB_MY names {tmp_path / 'drive'}, which holds no working copies" in said
    assert said.startswith("your answers cannot be saved: ")
    assert record("a", True) == ""
