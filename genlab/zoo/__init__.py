"""Every trained model that ships: its row, its weights and its card."""

from genlab.zoo.models import MODELS, card, find, load_model

__all__ = ["MODELS", "card", "find", "load_model"]
