"""What a notebook needs: checks, exercises, quiz questions, source and figure style."""

from genlab_course.quiz import Option as Option
from genlab_course.quiz import Question as Question
from genlab_course.quiz import questions as questions

from .checks import CheckFailed as CheckFailed
from .checks import check as check
from .checks import check_close_mc as check_close_mc
from .checks import check_range as check_range
from .exercise import Exercise as Exercise
from .exercise import Mistake as Mistake
from .exercise import exercise as exercise
from .exercise import hint as hint
from .figures import begin as begin
from .figures import show_images as show_images
from .source import show_source as show_source
from .start import progress as progress
from .start import reset as reset
