"""What a notebook needs: checks, exercises, quiz questions, source and figure style."""

from genlab_course.checks import CheckFailed as CheckFailed
from genlab_course.checks import check as check
from genlab_course.checks import check_close_mc as check_close_mc
from genlab_course.checks import check_range as check_range
from genlab_course.exercise import Exercise as Exercise
from genlab_course.exercise import Mistake as Mistake
from genlab_course.exercise import exercise as exercise
from genlab_course.exercise import hint as hint
from genlab_course.figures import begin as begin
from genlab_course.figures import draw_map as draw_map
from genlab_course.figures import show_images as show_images
from genlab_course.learner import progress as progress
from genlab_course.learner import reset as reset
from genlab_course.quiz import Option as Option
from genlab_course.quiz import Question as Question
from genlab_course.quiz import questions as questions
from genlab_course.source import show_source as show_source
