"""Every trained model that ships: its recipe, its weights and its card."""

from genlab.zoo.registry import TRAININGS as TRAININGS
from genlab.zoo.registry import card as card
from genlab.zoo.registry import load_model as load_model
