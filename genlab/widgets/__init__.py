"""Interactive figures: they drive genlab's functions and hold no mathematics of their own."""

from .explorer import Explorer as Explorer
from .explorer import explore as explore
from .quiz import quiz as quiz
from .watch import watch as watch
