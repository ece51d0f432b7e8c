r"""The rules of the course's grammar: short sentences in which the verb agrees with its noun.

$$\text{S} \to \text{NP VP .} \qquad \text{NP} \to \text{Det N} \mid \text{Det N that VP} \qquad
\text{VP} \to \text{Rest} \mid \text{Act NP}$$

every symbol in singular and plural. A relative clause may stand between noun and verb, and nests up
to a given depth, so the number must be carried across words that do not show it.

Lesson: notebooks/02_autoregressive.ipynb
"""

Rule = tuple[float, tuple[str, ...]]  # probability, right-hand side

END = "."


def agreement_rules(depth: int) -> dict[str, tuple[Rule, ...]]:
    """The rules of the course's grammar.

    Args:
        depth: how many relative clauses may stand inside one another, 0 or more.

    Returns:
        Rules by symbol; the sentence is `S`. A symbol ends in `.s` (singular) or `.p` (plural),
        then in the number of relative clauses it may still nest.

    Raises:
        ValueError: `depth` is negative.

    Example:
        >>> agreement_rules(0)["NP.s0"]
        ((1.0, ('Det.s', 'N.s')),)
    """
    if depth < 0:
        raise ValueError(f"depth must not be negative, got {depth}")
    rules: dict[str, tuple[Rule, ...]] = {
        "Det.s": ((0.5, ("the",)), (0.4, ("a",)), (0.1, ("every",))),
        "Det.p": ((0.6, ("the",)), (0.25, ("some",)), (0.15, ("two",))),
        "N.s": ((0.4, ("cat",)), (0.3, ("dog",)), (0.2, ("bird",)), (0.1, ("child",))),
        "N.p": ((0.4, ("cats",)), (0.3, ("dogs",)), (0.2, ("birds",)), (0.1, ("children",))),
        "Rest.s": ((0.7, ("sleeps",)), (0.3, ("sings",))),
        "Rest.p": ((0.7, ("sleep",)), (0.3, ("sing",))),
        "Act.s": ((0.6, ("sees",)), (0.4, ("hears",))),
        "Act.p": ((0.6, ("see",)), (0.4, ("hear",))),
        "S": tuple((0.5, (f"NP.{n}{depth}", f"VP.{n}{depth}", END)) for n in "sp"),
    }
    for d in range(depth + 1):
        rules[f"Obj{d}"] = ((0.5, (f"NP.s{d}",)), (0.5, (f"NP.p{d}",)))
        for n in "sp":
            plain = (f"Det.{n}", f"N.{n}")
            relative = (*plain, "that", f"VP.{n}{d - 1}")
            rules[f"NP.{n}{d}"] = ((1.0, plain),) if d == 0 else ((0.6, plain), (0.4, relative))
            rules[f"VP.{n}{d}"] = ((0.4, (f"Rest.{n}",)), (0.6, (f"Act.{n}", f"Obj{d}")))
    return rules
