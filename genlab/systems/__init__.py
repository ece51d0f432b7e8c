"""Systems: the place where parts of the package meet, and the recipes of the shipped weights."""

from genlab.systems.zoo import TRAININGS as TRAININGS
from genlab.systems.zoo import card as card
from genlab.systems.zoo import load_model as load_model
