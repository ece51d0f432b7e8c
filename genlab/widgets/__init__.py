"""Interactive figures: they drive genlab's functions and hold no mathematics of their own."""

from .explorer import Explorer as Explorer
from .explorer import explore as explore
from .flow_warp import flow_warp as flow_warp
from .quiz import quiz as quiz
from .watch import watch as watch
