"""What a notebook and a class need: checks, exercises, quiz questions, source and figure style."""

from genlab_course.checks import CheckFailed, check, check_close_mc, check_range
from genlab_course.exercise import exercise, hint
from genlab_course.figures import begin, draw_map, show_images
from genlab_course.learner import progress
from genlab_course.learner import reset_here as reset
from genlab_course.quiz import questions
from genlab_course.source import show_source

__all__ = [
    *("CheckFailed", "begin", "check", "check_close_mc", "check_range", "draw_map", "exercise"),
    *("hint", "progress", "questions", "reset", "show_images", "show_source"),
]
