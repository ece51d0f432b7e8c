"""What a notebook needs: checks, exercises, quiz questions, source and figure style."""

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
from .quiz import Option as Option
from .quiz import Question as Question
from .quiz import questions as questions
from .source import show_source as show_source
from .start import progress as progress
from .start import reset as reset
