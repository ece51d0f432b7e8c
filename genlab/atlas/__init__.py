"""The map of the course: the paradigms as data, and as a picture."""

from .paradigms import LESSONS as LESSONS
from .paradigms import PARADIGMS as PARADIGMS
from .paradigms import SYSTEMS as SYSTEMS
from .paradigms import Paradigm as Paradigm
from .paradigms import lit as lit
from .picture import draw_map as draw_map
