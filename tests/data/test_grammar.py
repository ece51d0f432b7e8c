"""The grammar: its entropy and probabilities, by enumeration and by Monte Carlo."""

import math

import pytest
import torch

from genlab.data.agreement import agreement_rules
from genlab.data.grammar import Grammar

COIN = {
    "S": ((0.25, ("A", ".")), (0.75, ("A", "A", "."))),
    "A": ((0.9, ("x",)), (0.1, ("y",))),
}


def every_sentence(grammar, symbol):
    """All derivations with their probabilities: an independent route to both answers."""
    if symbol not in grammar.rules:
        return [((symbol,), 1.0)]
    found = []
    for p, body in grammar.rules[symbol]:
        partial = [((), p)]
        for b in body:
            partial = [
                (words + more, q * r)
                for words, q in partial
                for more, r in every_sentence(grammar, b)
            ]
        found += partial
    return found


GRAMMARS = [Grammar(COIN), Grammar(agreement_rules(0))]


@pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])
def test_the_entropy_is_that_of_the_list_of_all_sentences(grammar):
    probs = [p for _, p in every_sentence(grammar, "S")]
    assert math.fsum(probs) == pytest.approx(1, abs=1e-12)
    entropy = -math.fsum(p * math.log(p) for p in probs)
    assert grammar.entropy() == pytest.approx(entropy, abs=1e-10)  # rounding of a long sum


@pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])
def test_no_sentence_has_two_derivations(grammar):
    sentences = [words for words, _ in every_sentence(grammar, "S")]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])
def test_log_probs_are_those_of_the_derivations(grammar):
    listed = every_sentence(grammar, "S")[::17]
    x = grammar.encode([" ".join(words) for words, _ in listed])
    expected = torch.tensor([math.log(p) for _, p in listed])
    torch.testing.assert_close(grammar.log_prob(x), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])
def test_lengths_are_those_of_the_list(grammar):
    listed = every_sentence(grammar, "S")
    assert grammar.max_length == max(len(words) for words, _ in listed)
    mean = math.fsum(p * len(words) for words, p in listed)
    assert grammar.mean_length() == pytest.approx(mean)


def test_samples_have_the_entropy_as_mean_surprise(generator):
    grammar = Grammar()
    surprise = -grammar.log_prob(grammar.sample(600, generator=generator))
    # Monte Carlo: 5 standard errors
    assert abs(surprise.mean() - grammar.entropy()) < 5 * surprise.std() / 600**0.5


@pytest.mark.parametrize("grammar", [*GRAMMARS, Grammar()], ids=["coin", "flat", "nested"])
def test_the_conditionals_multiply_to_the_probability(grammar, generator):
    x = grammar.sample(30, generator=generator)
    probs = grammar.next_probs(x)
    torch.testing.assert_close(probs.sum(-1), torch.ones(x.shape))
    chosen = probs.gather(2, x[..., None]).squeeze(2).log().sum(1)
    torch.testing.assert_close(chosen, grammar.log_prob(x), atol=1e-10, rtol=0)


def test_nothing_follows_what_starts_no_sentence():
    grammar = Grammar()
    x = grammar.encode(["a cats"])
    assert torch.equal(grammar.next_probs(x)[0, 2], torch.zeros(len(grammar.words)))
    assert grammar.next_probs(x)[0, 1].argmax() == grammar.words.index("cat")


def test_decoding_undoes_encoding():
    grammar = Grammar()
    sentences = ["the cats that see a dog sleep .", "a bird sings ."]
    assert grammar.decode(grammar.encode(sentences)) == sentences


@pytest.mark.parametrize(
    "sentence",
    [
        "the cats that see a dog sleeps .",  # the verb agrees with the nearer noun
        "a cats sleep .",
        "the cat sleeps",
        "sleeps the cat .",
    ],
)
def test_what_is_no_sentence_has_probability_zero(sentence):
    grammar = Grammar()
    x = torch.full((1, grammar.max_length), grammar.words.index("that"))
    words = sentence.split()
    x[0, : len(words)] = torch.tensor([grammar.words.index(w) for w in words])
    assert grammar.log_prob(x).item() == -math.inf


def test_the_beginning_of_a_sentence_is_no_sentence():
    grammar = Grammar()
    x = torch.tensor([[grammar.words.index(w) for w in ("the", "cat", "sees")]])
    assert grammar.log_prob(x).item() == -math.inf


def test_filling_up_costs_nothing():
    grammar = Grammar()
    x = grammar.encode(["a bird sings ."])
    assert (x[0, 4:] == grammar.words.index(".")).all()
    # 1/2 singular, no clause .6, "a" .4, "bird" .2, intransitive .4, "sings" .3
    p = 0.5 * 0.6 * 0.4 * 0.2 * 0.4 * 0.3
    assert grammar.log_prob(x).item() == pytest.approx(math.log(p), abs=1e-12)


def test_deeper_grammars_only_add_sentences():
    entropies = [Grammar(agreement_rules(d)).entropy() for d in range(4)]
    assert entropies == sorted(entropies)


def test_rules_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match=r"S sum to 0\.5"):
        Grammar({"S": ((0.5, (".",)),)})


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="negative"):
        agreement_rules(-1)
    with pytest.raises(ValueError, match="cond"):
        Grammar().sample(1, cond=torch.tensor([0]))
