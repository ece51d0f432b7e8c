"""The rules of the grammar: numbers agree, and clauses nest as deep as asked."""

import pytest

from genlab.data.agreement import agreement_rules


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_every_symbol_that_is_used_has_rules(depth):
    rules = agreement_rules(depth)
    used = {b for choices in rules.values() for _, body in choices for b in body}
    # symbols start with a capital, words do not
    assert {b for b in used if b[0].isupper()} <= set(rules)


def test_a_singular_noun_phrase_meets_a_singular_verb_phrase():
    for _, body in agreement_rules(1)["S"]:
        assert body[0][:4] == "NP." + body[1][3]


def test_a_negative_depth_is_refused():
    with pytest.raises(ValueError, match="-1"):
        agreement_rules(-1)
