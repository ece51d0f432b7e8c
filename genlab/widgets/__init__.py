"""Interactive figures: they drive genlab's functions and hold no mathematics of their own."""

from .earth_mover import earth_mover as earth_mover
from .explorer import Explorer as Explorer
from .explorer import explore as explore
from .five_samplers import five_samplers as five_samplers
from .flow_warp import flow_warp as flow_warp
from .metric_room import metric_room as metric_room
from .paradigm_map import paradigm_map as paradigm_map
from .quiz import quiz as quiz
from .watch import watch as watch
