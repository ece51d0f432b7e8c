"""Exercises of lesson 15: a counter for samplers, and the clinic of releases."""

import textwrap
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genlab.map import FAMILIES, LIKELIHOODS, OBJECTIVES, POST_TRAINING, SAMPLERS
from genlab_course.grading import Exercise, Mistake, bank
from genlab_course.predictions import Prediction
from genlab_course.reader import read

DATA = Path(__file__).parents[1] / "data" / "clinic.toml"
CLINIC: dict[str, dict[str, Any]] = {  # the releases, by key
    one["key"]: one for one in tomllib.loads(DATA.read_text(encoding="utf-8"))["release"]
}
BLANKS = {
    "objective": OBJECTIVES, "sampler": SAMPLERS, "gives": LIKELIHOODS, "place": FAMILIES,
    "post-training": POST_TRAINING,
}  # fmt: skip
HOW = ("disclosed", "inferred", "not said")
NOTHING = "cannot tell"


class Key(dict[str, Any]):
    """A release's form as its readers filled it in; in print with the evidence for every blank."""

    def __init__(self, release: Mapping[str, Any]) -> None:
        blanks = {blank: (release[blank]["is"][0], release[blank]["how"][0]) for blank in BLANKS}
        super().__init__(phrase=(*release["decides"], NOTHING)[0], **blanks)
        self.release = release

    def __repr__(self) -> str:
        r, lines = self.release, [f"decides: {self['phrase']!r}"]
        for blank in BLANKS:
            lines.append(f"{blank}: {self[blank][0]} ({self[blank][1]}). {r[blank]['why']}")
            lines += [f"    evidence: {r[blank]['phrase']!r}"] * bool(r[blank]["phrase"])
        lines += [f"points elsewhere: {d['phrase']!r}. {d['why']}" for d in r["decoys"]]
        lines += [f"does not matter: {r['idle']!r}", f"we would ask: {r['ask']}"]
        lines += [f"read: {source}" for source in r["sources"]]
        return "\n".join(textwrap.fill(x, 96, subsequent_indent=4 * " ") for x in lines)


def shown(key: str) -> str:
    """The text of a release as Markdown, with its name and year."""
    one = CLINIC[key]
    return f"> **{one['name']}** ({one['year']})\n>\n> {' '.join(one['text'].split())}"


def parts(value: str) -> frozenset[str]:
    """The parts of an answer such as "score + adversarial", in the map's words."""
    words = (" ".join(w.split()) for w in str(value).replace(",", "+").split("+"))
    known = {w.lower(): w for w in (*OBJECTIVES, *FAMILIES)}
    known |= {"score": FAMILIES[-1], "masked prediction": "denoising of tokens"}
    return frozenset(known.get(w.lower(), w.lower()) for w in words)


COPY = "copy it from the text, letter by letter"


def _shared(one: str, other: str) -> int:
    """How many words in a row two phrases have in common."""
    a, b = ([word.strip(".,;:") for word in text.split()] for text in (one, other))
    return SequenceMatcher(None, a, b, autojunk=False).find_longest_match().size


def _phrase(release: Mapping[str, Any], given: object) -> str:
    said, text = (" ".join(str(t).lower().split()) for t in (given, release["text"]))
    said = said.strip(" .\"'")
    if said != NOTHING and (said not in text or not 3 <= len(said.split()) <= 25):
        short = said in text and len(said.split()) < 3
        return f"phrase: {'a longer piece of it' if short else COPY}, 3 to 25 words."
    for phrase in map(str.lower, release["decides"] or [NOTHING]):
        if phrase in said or _shared(phrase, said) >= max(3, len(phrase.split()) / 2):
            return ""
    near = {d["phrase"].lower(): d["why"] for d in release["decoys"]}
    decoys = (why for phrase, why in near.items() if phrase in said or said in phrase)
    return f"phrase: {next(decoys, 'several families would fit this. Which words fit fewer?')}"


def judge(release: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """What is wrong with a filled form, the first thing only; "" when it agrees with the key."""
    if set(answer) != {"phrase", *BLANKS}:
        return f"a form has the entries phrase, {', '.join(BLANKS)}."
    if said := _phrase(release, answer["phrase"]):
        return said
    if any(isinstance(answer[b], str) or len(answer[b]) != 2 for b in BLANKS):
        return 'each blank is a pair, such as ("ELBO", "inferred").'
    for blank, words in BLANKS.items():
        value, how = answer[blank]
        key, given = release[blank], parts(value)
        if unknown := sorted(given - {*words, NOTHING}):
            return f"{blank}: {unknown[0]!r} is none of {', '.join(words)}, {NOTHING}."
        if not any(parts(v) <= given <= parts(v) | {*key.get("may", ())} for v in key["is"]):
            why = next((w for v, w in key["no"].items() if parts(v) == given), key["hint"])
            return f"{blank}: {why}"
        how_known = str(how).strip().lower()
        if how_known not in key["how"] or (how_known == HOW[0] and given == {NOTHING}):
            told = "words: disclosed; no words, one choice left: inferred; several: not said."
            return f"{blank}: the value is right, {how!r} is not. With {told}"
    return ""


def _clinic(release: Mapping[str, Any]) -> Exercise:
    key = Key(release)
    wrong = (
        Mistake({**key, blank: (value, key[blank][1])}, f"{blank}: {why}")
        for blank in BLANKS
        for value, why in release[blank]["no"].items()
    )
    first, second = (release[blank]["hint"] for blank in ("objective", "sampler"))
    third = "; ".join(f"{blank}: {key[blank][0]}" for blank in BLANKS)
    return Exercise(
        id=f"15.{release['key'].replace('_', '-')}",
        right=key,
        judge=lambda answer: judge(release, answer),
        mistakes=tuple(wrong),
        hints=f"{first}\n{second}\n{third}.",
    )


PREDICT_CALLS = Prediction("15.predict-calls", between=(0, 100), unit="calls")
PREDICT_DISCLOSED = Prediction("15.predict-disclosed", between=(0, 12), unit="of twelve")
PREDICT_SURE = Prediction("15.predict-sure", choices=("40", "70", "95"), unit="percent")


# 15.count: hooks on the layers that own parameters
def counted(network: nn.Module, draw: Callable[[], object]) -> tuple[int, int]:
    """Sequential calls of a network while `draw()` runs, and the rows of all calls.

    Both are read off the layer with the most uses; of several such, off the first one used.
    """
    uses, rows = Counter[nn.Module](), Counter[nn.Module]()

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        uses[layer] += 1
        rows[layer] += len(inputs[0])

    layers = [layer for layer in network.modules() if list(layer.parameters())]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    draw()
    for hook in hooks:
        hook.remove()
    busiest = max(uses, key=lambda layer: uses[layer])  # of several the first one used
    return uses[busiest], rows[busiest]


class Parts(nn.Module):
    """Three layers; a sampler may run all of them, or one of them more often."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.body = nn.Sequential(nn.Conv1d(1, 1, 1), nn.Tanh())
        self.last = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(self.first(x)[:, None])[:, 0])


def _zeros(network: Parts, n: int) -> Tensor:
    return torch.zeros(n, 3, dtype=network.last.weight.dtype)


def _looped(network: Parts, n: int, n_steps: int) -> Callable[[], Tensor]:
    def draw() -> Tensor:
        x = _zeros(network, n)
        for _ in range(n_steps):
            x = network(x)
        return x

    return draw


def _body_alone(network: Parts, n: int, n_steps: int) -> Callable[[], Tensor]:
    def draw() -> Tensor:
        h = network.first(_zeros(network, n))
        for _ in range(n_steps):
            h = network.body(h[:, None])[:, 0]
        return network.last(h)

    return draw


def _guided_at_first(network: Parts, n: int) -> Callable[[], Tensor]:
    """Two steps with both predictions in one batch, then three with one."""

    def draw() -> Tensor:
        x = _zeros(network, n)
        for k in range(5):
            x = network(torch.cat([x, x]))[:n] if k < 2 else network(x)
        return x

    return draw


def _wide_and_rare(network: Parts, n: int) -> Callable[[], Tensor]:
    """Candidates are drawn at once from the first layer; few of them enter the loop."""

    def draw() -> Tensor:
        h = network.first(_zeros(network, 10 * n))[:n]
        for _ in range(3):
            h = network.body(h[:, None])[:, 0]
        return network.last(h)

    return draw


def _inner_layer(network: Parts, n: int) -> Callable[[], Tensor]:
    """The loop runs a layer that stands inside another."""

    def draw() -> Tensor:
        h = network.first(_zeros(network, n))[:, None]
        for _ in range(5):
            h = network.body[0](h)
        return network.last(h[:, 0])

    return draw


def _two_as_often(network: Parts, n: int) -> Callable[[], None]:
    """Two layers are used equally often, and the second one reads more rows."""

    def draw() -> None:
        for _ in range(2):
            h = network.first(_zeros(network, n))
            network.last(torch.cat([h, h, h]))

    return draw


_ONE, _TWO, _THREE, _FOUR, _FIVE, _SIX, _SEVEN = (Parts() for _ in range(7))


def added_all_layers(network, draw):
    total, rows = 0, 0

    def note(layer, inputs, output):
        nonlocal total, rows
        total += 1
        rows += len(inputs[0])

    hooks = [m.register_forward_hook(note) for m in network.modules() if list(m.parameters())]
    draw()
    for hook in hooks:
        hook.remove()
    return total, rows


def hooked_the_whole_network(network, draw):
    calls = []
    hook = network.register_forward_hook(lambda module, inputs, output: calls.append(inputs[0]))
    draw()
    hook.remove()
    return len(calls), sum(len(x) for x in calls)


def hooked_the_first_layer(network, draw):
    calls = []
    first = next(m for m in network.modules() if list(m.parameters(recurse=False)))
    hook = first.register_forward_hook(lambda module, inputs, output: calls.append(inputs[0]))
    draw()
    hook.remove()
    return len(calls), sum(len(x) for x in calls)


def hooked_the_outermost_parts(network, draw):
    calls, rows = Counter[nn.Module](), Counter[nn.Module]()

    def note(layer, inputs):
        calls[layer] += 1
        rows[layer] += len(inputs[0])

    hooks = [m.register_forward_pre_hook(note) for m in network.children() if list(m.parameters())]
    draw()
    for hook in hooks:
        hook.remove()
    busiest = max(calls, key=lambda layer: calls[layer])
    return calls[busiest], rows[busiest]


def broke_a_tie_by_the_rows(network, draw):
    calls, rows = Counter[nn.Module](), Counter[nn.Module]()

    def note(layer, inputs):
        calls[layer] += 1
        rows[layer] += len(inputs[0])

    hooks = [m.register_forward_pre_hook(note) for m in network.modules() if list(m.parameters())]
    draw()
    for hook in hooks:
        hook.remove()
    return max((calls[layer], rows[layer]) for layer in calls)


def took_rows_for_calls(network, draw):
    seen: dict[nn.Module, list[Tensor]] = {}

    def note(layer, inputs):
        seen.setdefault(layer, []).append(inputs[0])

    hooks = [m.register_forward_pre_hook(note) for m in network.modules() if list(m.parameters())]
    draw()
    for hook in hooks:
        hook.remove()
    x = torch.cat(max(seen.values(), key=len))
    return len(x), len(x)


def took_the_rows_of_one_call(network, draw):
    calls, rows = Counter[nn.Module](), Counter[nn.Module]()

    def note(layer, inputs):
        calls[layer] += 1
        rows[layer] = len(inputs[0])

    hooks = [m.register_forward_pre_hook(note) for m in network.modules() if list(m.parameters())]
    draw()
    for hook in hooks:
        hook.remove()
    busiest = max(calls, key=lambda layer: calls[layer])
    return calls[busiest], rows[busiest]


def took_the_last_call_for_all(network, draw):
    calls: Counter[nn.Module] = Counter()
    last: dict[nn.Module, int] = {}

    def note(layer, inputs):
        calls[layer] += 1
        last[layer] = len(inputs[0])

    hooks = [m.register_forward_pre_hook(note) for m in network.modules() if list(m.parameters())]
    draw()
    for hook in hooks:
        hook.remove()
    busiest = max(calls, key=lambda layer: calls[layer])
    return calls[busiest], calls[busiest] * last[busiest]


def took_each_number_from_another_layer(network, draw):
    calls, rows = Counter[nn.Module](), Counter[nn.Module]()

    def note(layer, inputs):
        calls[layer] += 1
        rows[layer] += len(inputs[0])

    hooks = [m.register_forward_pre_hook(note) for m in network.modules() if list(m.parameters())]
    draw()
    for hook in hooks:
        hook.remove()
    return max(calls.values()), max(rows.values())


def _judge_count(count: Callable[[nn.Module, Callable[[], object]], object]) -> str:
    network = Parts()
    count(network, _looped(network, 1, 1))
    if any(m._forward_hooks or m._forward_pre_hooks for m in network.modules()):
        return "the counts are right, but your hooks stay on the network: remove them at the end."
    return ""


COUNT = Exercise(
    id="15.count",
    right=counted,
    cases=(
        (_ONE, _looped(_ONE, 4, 5)),
        (_TWO, _body_alone(_TWO, 2, 6)),
        (_THREE, _looped(_THREE, 6, 3)),
        (_FOUR, _guided_at_first(_FOUR, 2)),
        (_FIVE, _wide_and_rare(_FIVE, 2)),
        (_SIX, _inner_layer(_SIX, 3)),
        (_SEVEN, _two_as_often(_SEVEN, 2)),
    ),
    judge=_judge_count,
    mistakes=Mistake.pairs(
        added_all_layers,
        "you added the uses of all layers. In one call of the network each layer is used once: "
        "one layer is enough, the one that is used most.",
        hooked_the_whole_network,
        "you watch the network as a whole. A sampler may run a part of it in its loop, and the "
        "whole never: watch every layer.",
        hooked_the_first_layer,
        "you watch the first layer. A sampler may use it once and loop over another: take the "
        "layer that is used most.",
        hooked_the_outermost_parts,
        "you watch the outermost parts alone. A sampler may loop over a layer inside another.",
        broke_a_tie_by_the_rows,
        "several layers were used equally often, and yours is not the one that was used first.",
        took_rows_for_calls,
        "the first number counts calls, however many rows a call has.",
        took_the_rows_of_one_call,
        "the rows are those of all calls together, not of one.",
        took_the_last_call_for_all,
        "you multiplied by the rows of one call. A sampler may guide some of its steps only: add "
        "up the rows of every call.",
        took_each_number_from_another_layer,
        "your two numbers come from two layers. A layer that is used once may be wide: take both "
        "from the layer with the most uses.",
    ),
)


# --- the reader, held against the keys
FIELDS = {"place": "paradigms", "objective": "objective", "sampler": "sampling"}
FIELDS |= {"gives": "likelihood"}  # blank: what the reader calls it
EITHER = {"bound", "none"}  # of a hybrid with a codec: the bank's word, and ours (for the widget)


def read_against_key(release: Mapping[str, Any]) -> tuple[tuple[str, float, str], ...]:
    """What `genlab read` says of each blank that it knows: (answer, confidence, verdict).

    The verdict is "right" for every answer that the key accepts, "wrong", or "no answer" below
    the reader's threshold, which is right where the key accepts "cannot tell". It is held to the
    same keys as a learner.
    """
    reading, found = read(release["text"]), []
    for blank, field in FIELDS.items():
        answer, key = getattr(reading, field), release[blank]
        best = answer.best if isinstance(answer.best, tuple) else (answer.best,)
        given, harmless = frozenset(best) or {NOTHING}, {*key.get("may", ())}
        right = any(parts(v) <= given <= parts(v) | harmless for v in key["is"])
        said, verdict = " + ".join(best) or "none named", "right" if right else "wrong"
        if answer.value != answer.best:
            said, verdict = "no answer", "right" if NOTHING in key["is"] else "no answer"
        found.append((said, answer.confidence, verdict))
    return tuple(found)


# 15.bill: calls that wait for one another, and network evaluations
BILL = Exercise(
    id="15.bill",
    right=(131, 161),
    mistakes=Mistake.pairs(
        (161, 131),
        "the other way round: calls are the wait, and come first; evaluations are the work.",
        (131, 131),
        "guidance needs the noise with the text and without: two evaluations, though one call.",
        (161, 161),
        "the two rows of a guided step in one batch are one call.",
        (130, 160),
        "the decoder is a network too, and it is used once.",
        (31, 61),
        "you counted the denoiser and the decoder only: the language model makes a call a token.",
        (30, 60),
        "you counted the denoiser only: the language model makes a call a token, and the decoder "
        "is used once.",
        (132, 162),
        "you counted an encoder: it is used in training. A sample needs the decoder alone.",
        (3001, 6001),
        "the parts work one after the other, so their calls add up; they do not multiply.",
    ),
)


# 15.place
def placed(calls: int, fraction: float, follows_steps: bool, kind: str) -> str:
    """The family that agrees with what was counted and declared."""
    if follows_steps or kind == "unnormalised":
        return "score"
    if calls > 1:
        return "score" if fraction > 0.5 or kind == "bound" else "autoregressive"
    return {"exact": "flow", "bound": "latent-variable", "none": "adversarial"}[kind]


def place_as_it_stood(calls: int, fraction: float, follows_steps: bool, kind: str) -> str:
    if calls > 1:
        return "autoregressive" if kind == "exact" else "score"
    return {"exact": "flow", "bound": "latent-variable"}.get(kind, "adversarial")


_SEEN: tuple[tuple[int, float, bool, str], ...] = (
    (1, 1.0, False, "exact"),
    (1, 1.0, False, "bound"),
    (1, 1.0, False, "none"),
    (64, 1 / 64, False, "exact"),
    (20, 0.05, False, "none"),  # an API that keeps its likelihood to itself
    (50, 1.0, True, "bound"),
    (50, 1.0, False, "bound"),
    (40, 1.0, True, "exact"),  # the likelihood of its ODE
    (1, 1.0, True, "none"),  # distilled
    (16, 1 / 16, True, "bound"),  # masked diffusion
    (16, 1 / 16, False, "bound"),  # masked diffusion, sold without its dial
    (21, 1.0, True, "none"),
    (20, 1.0, True, "unnormalised"),
)


def ignored_what_the_calls_follow(calls, fraction, follows_steps, kind):
    if kind == "unnormalised":
        return "score"
    if calls > 1:
        return "score" if fraction > 0.5 else "autoregressive"
    return {"exact": "flow", "bound": "latent-variable", "none": "adversarial"}[kind]


def told_many_calls_apart_by_the_likelihood(calls, fraction, follows_steps, kind):
    if follows_steps or kind == "unnormalised":
        return "score"
    if calls > 1:
        return "autoregressive" if kind == "exact" else "score"
    return {"exact": "flow", "bound": "latent-variable", "none": "adversarial"}[kind]


def let_a_bound_be_autoregressive(calls, fraction, follows_steps, kind):
    if follows_steps or kind == "unnormalised":
        return "score"
    if calls > 1:
        return "score" if fraction > 0.5 else "autoregressive"
    return {"exact": "flow", "bound": "latent-variable", "none": "adversarial"}[kind]


def took_no_likelihood_for_adversarial(calls, fraction, follows_steps, kind):
    if kind == "none":
        return "adversarial"
    if follows_steps or kind == "unnormalised":
        return "score"
    if calls > 1:
        return "score" if fraction > 0.5 else "autoregressive"
    return {"exact": "flow", "bound": "latent-variable"}[kind]


def asked_the_fraction_first(calls, fraction, follows_steps, kind):
    if calls > 1 and fraction < 0.5:
        return "autoregressive"
    if calls > 1 or follows_steps or kind == "unnormalised":
        return "score"
    return {"exact": "flow", "bound": "latent-variable", "none": "adversarial"}[kind]


PLACE = Exercise(
    id="15.place",
    right=placed,
    cases=_SEEN,
    synonyms={"score / diffusion": "score", "diffusion": "score"},
    mistakes=Mistake.pairs(
        place_as_it_stood,
        "This is the broken function as it stood.",
        ignored_what_the_calls_follow,
        "you did not ask what the calls follow: a distilled model makes one call and takes "
        "more when told to, and masked diffusion writes pixels without being autoregressive.",
        told_many_calls_apart_by_the_likelihood,
        "many calls can write token by token or redraw the whole: the fraction of new "
        "positions tells, not the likelihood.",
        let_a_bound_be_autoregressive,
        "an autoregressive model knows its likelihood exactly: many calls, few new positions "
        "and only a bound belong to another row.",
        took_no_likelihood_for_adversarial,
        "without a likelihood it need not be adversarial: look at how it samples first.",
        asked_the_fraction_first,
        "masked diffusion writes few new pixels in a call, too. What sets it apart from an "
        "autoregressive model: its dial, and, sold without it, its mere bound.",
    ),
)


# 15.leakage
def leaked(train: Sequence[Mapping[str, str]], test: Sequence[Mapping[str, str]]) -> float:
    """The fraction of the test texts whose system is described in a training text, too."""
    known = {row["system"] for row in train}
    return sum(row["system"] in known for row in test) / len(test)


def _rows(*systems: str) -> tuple[dict[str, str], ...]:
    return tuple({"system": s, "text": f"{s} {k}"} for k, s in enumerate(systems))


def counted_systems(train, test):
    known = {row["system"] for row in train}
    asked = {row["system"] for row in test}
    return len(known & asked) / len(asked)


def exchanged_train_and_test(train, test):
    known = {row["system"] for row in test}
    return sum(row["system"] in known for row in train) / len(train)


def divided_systems_by_texts(train, test):
    known = {row["system"] for row in train}
    return len(known & {row["system"] for row in test}) / len(test)


def compared_texts(train, test):
    known = {row["text"] for row in train}
    return sum(row["text"] in known for row in test) / len(test)


LEAKAGE = Exercise(
    id="15.leakage",
    right=leaked,
    cases=(
        (_rows("a", "b", "b"), _rows("b", "c", "b", "d", "b")),
        (_rows("a", "c", "c", "e"), _rows("a", "a", "f")),
        (_rows("a", "b", "c"), (*_rows("a"), {"system": "b", "text": "b, told anew"})),
    ),
    mistakes=Mistake.pairs(
        counted_systems,
        "you counted systems; a system with ten test texts counts ten times.",
        exchanged_train_and_test,
        "these are the training texts that the test knows: turn it round.",
        compared_texts,
        "you compared texts. Two different texts about one system leak, too.",
        divided_systems_by_texts,
        "you divided a number of systems by a number of texts: count the test *texts* whose "
        "system is known, so that one with ten texts counts ten times.",
    ),
)

# 15.bounds
_RANKED = ("second", "refuse", "refuse", "first")
_WHY = (
    "(a): the first is exactly 1.96, the second at most 1.77, so smaller still: which is better?",
    "(b): the true number of the VAE lies somewhere below 1.98. On which side of 1.96?",
    "(c): both true numbers lie somewhere below what is printed.",
    "(d): both numbers are exact, and fewer bits are better.",
)


def _judge_bounds(answer: Sequence[str]) -> str:
    if isinstance(answer, str) or len(answer) != len(_RANKED):
        return "there are four pairs."
    given = (str(a).strip().lower() for a in answer)
    return next((w for a, b, w in zip(given, _RANKED, _WHY, strict=True) if a != b), "")


BOUNDS = Exercise(
    id="15.bounds",
    right=_RANKED,
    judge=_judge_bounds,
    mistakes=Mistake.pairs(
        ("refuse", "refuse", "refuse", "first"),
        _WHY[0],
        ("second", "second", "refuse", "first"),
        _WHY[1],
        ("second", "refuse", "second", "first"),
        _WHY[2],
        ("second", "refuse", "refuse", "second"),
        _WHY[3],
    ),
)

EXERCISES = (*bank(globals()), *map(_clinic, CLINIC.values()))
