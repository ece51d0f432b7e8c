"""What the tables of components say: one name for each box of the map.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

AR, LATENT, ADV = "paradigm: autoregressive", "paradigm: latent-variable", "paradigm: adversarial"
SCORE, FLOW = "paradigm: score-based", "paradigm: flow"
