"""Read a release: which paradigms it builds on, its objective, how it samples, its likelihood.

A log-linear model over labelled texts. Names of products are masked, so it reads what a text says;
it answers with a calibrated probability and the phrases that weigh most, or "cannot tell".
"""

import html
import json
import lzma
import re
import tomllib
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
WEIGHTS = DATA / "reader.safetensors"
FIELDS = ("paradigms", "objective", "sampling", "likelihood")
MEASURED = ("coverage", "accuracy", "forced")  # of the texts, of the answers, if it must answer
CANNOT_TELL = "cannot tell"
LONGEST = 200_000  # characters
WORDS = tomllib.loads((DATA / "reader_words.toml").read_text(encoding="utf-8"))
TERMS = frozenset(WORDS["terms"].split())
DENY = frozenset(WORDS["deny"].split())
NUMBERS = {word: size for size, words in WORDS["numbers"].items() for word in words.split()}
RULES = {name: "|".join(lines.split("\n")[:-1]) for name, lines in WORDS["rules"].items()}
PATTERNS = {name: re.compile(rf"(?<![\w#])(?:{rule})(?!\w)") for name, rule in RULES.items()}
OWN = re.compile(rf"\b(?:{'|'.join(WORDS['own'].splitlines())})\b")  # of the release itself

# --- from a text to features with their places


def _hash(name: str) -> int:
    return zlib.crc32(name.encode())


_WORD = re.compile(r"\d{1,3}(?:,\d{3})+\b|[^\W_][\w+'’·.]*(?:[-‑–/@][\w+'’·.]+)*")
_PART = re.compile(r"[^-‑–/@]+")


def _stem(word: str) -> str:
    word = word.replace("’", "'").removesuffix("'s")
    for end, new in WORDS["suffixes"].items():
        if word.endswith(end) and len(word) - len(end) >= 3 and not (end == "s" == word[-2]):
            word = word[: -len(end)] + new
            break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "sl" else word


def _plain(part: str, opens: bool, known: frozenset[int]) -> str | None:
    """The word as the model sees it; None for a name."""
    low = re.sub(r"['’]s$", "", part.lower().rstrip("."))
    if low in TERMS:
        return low
    if re.search(r"\d", part):
        if not re.fullmatch(r"\d[\d,]*", part):
            return "#" if part[0].isdigit() else None
        value = int(part.replace(",", ""))
        return "#1" if value == 1 else "#few" if 2 <= value <= 8 else "#many"
    if part == part.lower():
        return part
    return low if opens and part[1:] == part[1:].lower() and _hash(low) in known else None


Token = tuple[str, int, int]


def mask(text: str, known: frozenset[int] | None = None) -> list[Token]:
    """Words in lower case with their places; § for a name, # for a number; | ; and , for pauses.

    A name is a word with a capital or a digit that is no term of the field; the capital that
    opens a sentence is forgiven where the word is common in lower case (`known`, hashed).
    """
    known = model().known if known is None else known
    out: list[Token] = []
    last = 0
    for match in _WORD.finditer(text):
        start = match.start()
        gap = text[last : match.start()]
        opens = last == 0 or bool(re.search(r"[.!?:]\W*\s|\n", gap))
        line = r"[.!?]\s|\n\s*\n|\n\W*[^a-z\W]|\n\W*[-*#|>]"
        if re.search(line, gap + text[start]):
            out.append(("|", start, start))
        elif pause := re.search(r"[;:()—]|\s[–-]\s|,", gap):
            out.append(("," if pause.group() == "," else ";", start, start))
        word = match.group().rstrip(".'’·")
        last = start + len(word)
        if word.lower() in TERMS:
            out.append((word.lower(), start, last))
            continue
        parts = list(_PART.finditer(word))
        plain = [_plain(p[0], opens and p is parts[0], known) or "§" for p in parts]
        mixed = len(parts) > 1 and any(
            w[0] == "#" and re.search("[a-zA-Z]", p[0]) for w, p in zip(plain, parts, strict=True)
        )
        if mixed or "§" in plain:
            out.append(("§", start, last))
        else:
            places = [(start + p.start(), start + p.end()) for p in parts]
            out += [(NUMBERS.get(w, w), *at) for w, at in zip(plain, places, strict=True)]
    return out


def _sentences(tokens: Sequence[Token]) -> list[list[list[Token]]]:
    """Sentences of clauses of words."""
    out: list[list[list[Token]]] = [[[]]]
    for token in tokens:
        if token[0] == "|" and out[-1] != [[]]:
            out.append([[]])
        elif token[0] in "|;,":
            out[-1].append([])
        else:
            out[-1][-1].append(token)
    return out


Places = dict[str, list[tuple[int, int]]]


def _found(words: list[str], signs: list[str]) -> Iterator[tuple[str, int, int]]:
    """Features of a clause, each with its first and last word.

    Rules (@), one to three stems in a row, and three to five letters of a word (~).
    """
    ends = np.cumsum([len(word) + 1 for word in words])
    for rule, pattern in PATTERNS.items():
        for found in pattern.finditer(" ".join(words) + " "):
            first = int(np.searchsorted(ends, found.start(), side="right"))
            last = int(np.searchsorted(ends, found.end() - 1, side="right"))
            yield f"{signs[first]}@{rule}", first, last
    stems = [word if word[0] in "#§" else _stem(word) for word in words]
    for i, word in enumerate(words):
        for j in range(i, min(i + 3, len(words))):
            gram = " ".join(stems[i : j + 1])
            if len(gram) > 1:
                yield signs[j] + gram, i, j
        padded = f" {word} "
        for n in (3, 4, 5):
            for k in range(len(padded) - n + 1):
                yield "~" + padded[k : k + n], i, i


def features(text: str, known: frozenset[int] | None = None) -> Places:
    """Each feature of a text with its places: one to three words, rules (@), letters (~).

    ¬ after a word that denies in the same clause; 1@ and own@ in the first sentence and in
    sentences about the release itself; two rules that both hold are a feature (&).
    """
    out: Places = {}
    for number, sentence in enumerate(_sentences(mask(text, known))):
        own = bool(OWN.search(" ".join(word for clause in sentence for word, _, _ in clause)))
        for clause in sentence:
            words = [word for word, _, _ in clause]
            denial = next((i for i, word in enumerate(words) if word in DENY), len(words))
            signs = ["¬" if i > denial else "" for i in range(len(words))]
            for name, i, j in _found(words, signs):
                place = clause[i][1], clause[j][2]
                out.setdefault(name, []).append(place)
                for prefix, holds in (("1", number == 0), ("own", own)):
                    if name[0] == "@" and holds:
                        out.setdefault(prefix + name, []).append(place)
    rules = sorted(name for name in out if name[0] == "@")
    pairs = [(other, one) for i, one in enumerate(rules) for other in rules[:i]]
    return out | {f"{a}&{b}": [out[a][0], out[b][0]] for a, b in pairs}


# --- the model: p(labels | text), labels = one of the combinations that occur


@dataclass(frozen=True, eq=False)
class Model:
    r"""$p(y \mid x) \propto \exp(x^\top W m_y + b_y)$, where $m_y$ marks the labels in y."""

    hashes: np.ndarray  # (F,) sorted CRC-32 of the features
    idf: np.ndarray  # (F,)
    kinds: np.ndarray  # (F,) 0 words, 1 rules, 2 letters
    W: np.ndarray  # (F, K)
    b: np.ndarray  # (C,)
    combinations: tuple[tuple, ...]
    known: frozenset[int]
    calibration: dict[str, tuple[float, float]]  # of the log-odds: slope, intercept
    threshold: dict[str, float]
    cross_validated: dict[str, dict[str, float]]

    def probabilities(self, at: np.ndarray, value: np.ndarray) -> np.ndarray:
        """P of each combination, from the features at hand."""
        logits = marks(self.combinations) @ (value @ self.W[at]) + self.b
        odds = np.exp(logits - logits.max())
        return odds / odds.sum()

    def likeliest(self, p: np.ndarray, f: int) -> tuple[tuple[str, ...] | str, float]:
        """The likeliest value of field f, and its log-odds."""
        total: Counter = Counter()
        for combination, mass in zip(self.combinations, p, strict=True):
            total[combination[f]] += float(mass)
        best, mass = max(total.items(), key=lambda item: item[1])
        return best, float(np.log(mass / max(1 - mass, 1e-9)))


@cache
def marks(combinations: tuple[tuple, ...]) -> np.ndarray:
    """(C, K): which label of which field each combination has."""
    labels = sorted({(f, v) for c in combinations for f, field in enumerate(c) for v in _as(field)})
    return np.array([[v in _as(c[f]) for f, v in labels] for c in combinations], float)


def _as(field: tuple[str, ...] | str) -> tuple[str, ...]:
    return field if isinstance(field, tuple) else (field,)


RULE_SCALE, LETTER_SCALE = 3.0, 0.7**0.5  # chosen by grouped cross-validation on training texts


def _vector(found: Places, hashes, idf, kinds) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, indices, values of the known features: (1 + log n) idf, words and letters normed."""
    code = {_hash(name): name for name in found}
    keys = np.fromiter(code, np.uint32, len(code))
    at = np.minimum(np.searchsorted(hashes, keys), len(hashes) - 1)
    hit = hashes[at] == keys
    names = [code[int(k)] for k in keys[hit]]
    at = at[hit]
    value = np.array([1 + np.log(len(found[name])) for name in names]) * idf[at]
    for letters, scale in ((False, 1.0), (True, LETTER_SCALE)):
        part = (kinds[at] == 2) == letters
        value[part] *= scale / max(float(np.linalg.norm(value[part])), 1e-9)
    return names, at, np.where(kinds[at] == 1, RULE_SCALE * value, value)


@cache
def model() -> Model:
    """The shipped model."""
    return load(WEIGHTS)


def load(path: Path) -> Model:
    """What `save` wrote."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        notes = json.loads(file.metadata()["reader"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    arrays |= {name: arrays[name].astype(float) for name in ("idf", "W", "b")}
    arrays["known"] = frozenset(arrays["known"].tolist())
    combinations = (labels(dict(zip(FIELDS, c, strict=True))) for c in notes["combinations"])
    notes["calibration"] = {field: tuple(line) for field, line in notes["calibration"].items()}
    return Model(**arrays | notes | {"combinations": tuple(combinations)})


# --- reading


@dataclass(frozen=True)
class Phrase:
    """Words of the text, where they stand, and how much they add to the log-odds of the answer."""

    text: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class Answer:
    """What the text says of one field, or "cannot tell"; `best` is the likeliest all the same."""

    value: tuple[str, ...] | str
    confidence: float
    evidence: tuple[Phrase, ...]
    best: tuple[str, ...] | str


@dataclass(frozen=True)
class Reading:
    """Four answers; `from_the_map` holds what the course's map, not the text, adds."""

    paradigms: Answer
    objective: Answer
    sampling: Answer
    likelihood: Answer
    from_the_map: dict[str, object]

    def as_dict(self) -> dict[str, object]:
        """Plain lists, strings and numbers, for JSON."""
        out: dict = {"confidence": {}, "evidence": {}, "from_the_map": self.from_the_map}
        for field in FIELDS:
            a: Answer = getattr(self, field)
            out[field] = list(a.value) if isinstance(a.value, tuple) else a.value
            out["confidence"][field] = round(a.confidence, 3)
            phrases = [{"phrase": p.text, "weight": round(p.weight, 2)} for p in a.evidence]
            out["evidence"][field] = phrases
        return out


def read(text: object, trade_offs: Callable[[tuple[str, ...]], object] | None = None) -> Reading:
    """What a release text says of itself; ValueError for what is empty, too long or no text.

    `trade_offs` maps paradigms to what the map says of them; it is asked only where they are told.
    """
    if not isinstance(text, str):
        raise ValueError(f"a release is a text (str), not {type(text).__name__}")
    if not text.strip():
        raise ValueError("the text is empty")
    if len(text) > LONGEST:
        raise ValueError(f"the text has {len(text):,} characters; at most {LONGEST:,} are read")
    odd = sum(not c.isprintable() and not c.isspace() for c in text) + text.count("\ufffd")
    if odd > 0.02 * len(text):
        raise ValueError("this is no text: it is full of control characters")
    return _read(text, model(), trade_offs)


def _read(text: str, model: Model, trade_offs: Callable | None = None) -> Reading:
    found = features(text, model.known)
    names, at, value = _vector(found, model.hashes, model.idf, model.kinds)
    p = model.probabilities(at, value)
    says = any("@" in n for n in names)
    answers = {}
    for f, field in enumerate(FIELDS):
        best, odds = model.likeliest(p, f)
        confidence = _calibrated(odds, *model.calibration[field])
        mine = np.array([c[f] == best for c in model.combinations])
        q = np.where(mine, p / p[mine].sum(), -p / max(p[~mine].sum(), 1e-12))
        weights = value * (model.W[at] @ (q @ marks(model.combinations)))
        evidence = _evidence(text, found, names, weights) if says else ()
        sure = evidence and best != CANNOT_TELL and confidence >= model.threshold[field]
        best = of_the_map(field, best)
        said = best if sure else CANNOT_TELL
        answers[field] = Answer(said, confidence if says else 0.0, evidence, best)
    told = answers["paradigms"].value
    adds = {"trade_offs": trade_offs(told)} if trade_offs and told and told != CANNOT_TELL else {}
    return Reading(**answers, from_the_map=adds)


def _calibrated(odds: float, slope: float, intercept: float) -> float:
    return float(1 / (1 + np.exp(-slope * odds - intercept)))


def _evidence(text, found, names, weights, most=5) -> tuple[Phrase, ...]:
    """The phrases that add most to the log-odds: each feature's part, spread over its places."""
    places: Counter[tuple[int, int]] = Counter()
    for name, weight in zip(names, weights, strict=True):
        for place in found[name]:
            places[place] += weight / len(found[name])
    a, b = np.array(list(places), int).reshape(-1, 2).T
    w = np.array(list(places.values()))
    heavy = np.argsort(-w)[:100]
    inside = [w[(a >= a[k]) & (b <= b[k])].sum() for k in heavy]
    phrases: list[Phrase] = []
    for weight, k in sorted(zip(inside, heavy, strict=True), key=lambda pair: -pair[0]):
        start = int(a[k])
        end = int(b[k])
        apart = all(end <= p.start or start >= p.end for p in phrases)
        if weight > 0.02 and apart and len(phrases) < most:
            phrases.append(Phrase(text[start:end], start, end, float(weight)))
    return tuple(phrases)


def in_words(reading: Reading, field: str) -> str:
    """An answer as it is printed; of a hybrid with a codec the bound is one that it could have.

    The data's label goes by the weakest part, the usual recipe trains no bound of the whole.
    """
    value = getattr(reading, field).value
    codec = "latent-variable" in reading.paradigms.best and len(reading.paradigms.best) > 1
    if field == "likelihood" and value == "bound" and codec:
        return "bound (none as usually trained)"
    return value if isinstance(value, str) else ", ".join(value) or "none"


def highlight(text: str, reading: Reading, field: str = "paradigms") -> str:
    """The text as HTML, the evidence for one field marked, heavier phrases darker."""
    evidence: Answer = getattr(reading, field)
    most = max((p.weight for p in evidence.evidence), default=1.0)
    out, last = [], 0
    for p in sorted(evidence.evidence, key=lambda p: p.start):
        tint = f"background:hsl(47,100%,{90 - 35 * p.weight / most:.0f}%)"
        mark = f'<mark style="{tint}" title="adds {p.weight:+.1f} to the log-odds">'
        out += [html.escape(text[last : p.start]), mark, html.escape(p.text), "</mark>"]
        last = p.end
    return "".join([*out, html.escape(text[last:])]).replace("\n", "<br>")


# --- data, recipe, measure


@cache
def releases(split: str) -> tuple[dict, ...]:
    """The labelled texts of a split: train, test, or aside (of a test system, used by neither)."""
    with lzma.open(DATA / "releases.json.xz", "rt", encoding="utf-8") as file:
        return tuple(row for row in json.load(file) if row["split"] == split)


def labels(row: dict) -> tuple:
    """(paradigms, objective, sampling, likelihood) of a labelled text, in the words of the data."""
    return (tuple(row["paradigms"]), tuple(row["objective"]), row["sampling"], row["likelihood"])


def of_the_map(field: str, label: tuple[str, ...] | str) -> tuple[str, ...] | str:
    """A label of the data in the words of `genlab.map`."""
    words = WORDS["map"].get(field, {})
    return tuple(words.get(one, one) for one in label) if isinstance(label, tuple) else label


def truth(row: dict, field: str) -> tuple[str, ...] | str:
    """What a labelled text says of one field, in the words of the map."""
    return of_the_map(field, labels(row)[FIELDS.index(field)])


def _table(found: list[Places], least: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes, idf and kinds of the features that enough texts have."""
    count = Counter(name for one in found for name in one)
    names = {_hash(n): n for n, c in count.items() if c >= least}
    hashes = np.array(sorted(names), np.uint32)
    kept = [names[int(h)] for h in hashes]
    idf = np.log((1 + len(found)) / (1 + np.array([count[n] for n in kept]))) + 1
    return hashes, idf, np.array([2 if n[0] == "~" else int("@" in n) for n in kept], np.uint8)


def _matrix(found: list[Places], table):
    from scipy.sparse import csr_matrix

    _, at, value = zip(*(_vector(one, *table) for one in found), strict=True)
    ends = np.cumsum([0, *map(len, at)])
    shape = len(found), len(table[0])
    return csr_matrix((np.concatenate(value), np.concatenate(at), ends), shape)


def _solve(X, y: np.ndarray, m: np.ndarray, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """W and b of the least penalised negative log-likelihood, in the span of the texts (n < F)."""
    from scipy.optimize import minimize

    e, U = np.linalg.eigh((X @ X.T).toarray())
    U = U[:, e > 1e-8 * e[-1]]
    e = e[e > 1e-8 * e[-1]]
    Z = U * np.sqrt(e)
    n = len(y)
    (C, K) = m.shape

    def loss(flat):
        V = flat[: -C or None].reshape(-1, K)
        b = flat[-C:]
        logits = Z @ V @ m.T + b
        logits -= logits.max(1, keepdims=True)
        p = np.exp(logits)
        p /= p.sum(1, keepdims=True)
        nll = -np.log(p[np.arange(n), y]).sum()
        value = nll + decay / 2 * (V**2).sum() + n / 2e3 * (b**2).sum()
        p[np.arange(n), y] -= 1
        return value, np.concatenate([(Z.T @ (p @ m) + decay * V).ravel(), p.sum(0) + n / 1e3 * b])

    zero = np.zeros(Z.shape[1] * K + C)
    at_most = {"maxiter": 150}
    best = minimize(loss, zero, jac=True, method="L-BFGS-B", options=at_most).x
    return X.T @ (U / np.sqrt(e) @ best[:-C].reshape(-1, K)), best[-C:]


def fit_once(rows, found: list[Places], keep: int = 22_000, decay: float = 0.05) -> dict:
    """Fit on every feature, keep the heaviest, fit again."""
    table = _table(found)
    combinations = tuple(sorted({labels(row) for row in rows}))
    y = np.array([combinations.index(labels(row)) for row in rows])
    W, _ = _solve(_matrix(found, table), y, marks(combinations), decay)
    heavy = np.sort(np.argsort(-np.linalg.norm(W, axis=1), kind="stable")[:keep])
    table = tuple(column[heavy] for column in table)
    W, b = _solve(_matrix(found, table), y, marks(combinations), decay)
    names = dict(zip(("hashes", "idf", "kinds"), table, strict=True))
    return names | {"W": W, "b": b, "combinations": combinations}


def fit_reader(seed: int = 0, coverage: float = 0.52, folds: int = 5) -> Model:
    """The reader; calibrated and cut off on folds of the training texts that share no system."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    rows = releases("train")
    word = re.compile(r"(?<![\w-])[a-z]+(?![\w-])")
    seen_in = Counter(w for row in rows for w in set(word.findall(row["text"])))
    known = frozenset(_hash(w) for w, n in seen_in.items() if n >= 2)  # without a capital
    found = [features(row["text"], known) for row in rows]
    notes: dict = {"calibration": {}, "threshold": {}, "cross_validated": {}}
    seen: dict[str, list] = {field: [] for field in FIELDS}
    apart = GroupKFold(folds, shuffle=True, random_state=seed)
    systems = [r["system"] for r in rows]
    for train, test in apart.split(rows, groups=systems):
        once = fit_once([rows[i] for i in train], [found[i] for i in train])
        part = Model(**once, known=known, **notes)
        for i in (i for i in test if rows[i]["source"] in ("retold", "plain")):  # like a release
            _, at, value = _vector(found[i], part.hashes, part.idf, part.kinds)
            p = part.probabilities(at, value)
            for f, field in enumerate(FIELDS):
                best, odds = part.likeliest(p, f)
                seen[field].append((odds, best == labels(rows[i])[f], best != CANNOT_TELL))
    for field, triples in seen.items():
        odds, right, told = (np.array(column) for column in zip(*triples, strict=True))
        line = LogisticRegression(C=1e3).fit(odds[:, None], right)
        slope = float(line.coef_[0, 0])
        intercept = float(line.intercept_[0])
        notes["calibration"][field] = (slope, intercept)
        cut = np.sort(odds[told])[::-1][min(int(coverage * len(odds)), told.sum() - 1)]
        notes["threshold"][field] = _calibrated(cut, slope, intercept)
        answered = told & (odds >= cut)
        figures = answered.mean(), right[answered].mean(), right.mean()
        notes["cross_validated"][field] = dict(zip(MEASURED, map(float, figures), strict=True))
    return Model(**fit_once(rows, found), known=known, **notes)


def save(fitted: Model, path: Path = WEIGHTS) -> None:
    """Write a model: weights in float16."""
    from safetensors.numpy import save_file

    parts = dict(vars(fitted))
    names = ("combinations", "calibration", "threshold", "cross_validated")
    notes = {"reader": json.dumps({name: parts.pop(name) for name in names})}
    parts |= {name: parts[name].astype(np.float16) for name in ("idf", "W", "b")}
    save_file(parts | {"known": np.array(sorted(fitted.known), np.uint32)}, path, notes)


Answers = dict[str, list[tuple[Answer, tuple[str, ...] | str]]]


def answers(fitted: Model | None = None, split: str = "test") -> Answers:
    """Of each field, the answer to every text of a split, and the truth."""
    pairs = [(_read(row["text"], fitted or model()), row) for row in releases(split)]
    return {f: [(getattr(reading, f), truth(row, f)) for reading, row in pairs] for f in FIELDS}


def curve(given: Answers, field: str) -> list[tuple[float, float]]:
    """(coverage, accuracy) as the threshold falls from above every confidence to nought."""
    got = [(a.confidence, a.best == true) for a, true in given[field] if a.best != CANNOT_TELL]
    got.sort(key=lambda pair: -pair[0])
    right = np.cumsum([ok for _, ok in got])
    n = len(given[field])
    return [((i + 1) / n, float(right[i] / (i + 1))) for i in range(len(got))]


def measure(given: Answers) -> dict[str, dict[str, float]]:
    """Coverage, accuracy where it answers, and accuracy if it always answered, of each field."""
    out = {}
    for field, pairs in given.items():
        told = [a.value == true for a, true in pairs if a.value != CANNOT_TELL]
        forced = sum(a.best == true for a, true in pairs) / len(pairs)
        figures = len(told) / len(pairs), sum(told) / max(len(told), 1), forced
        out[field] = dict(zip(MEASURED, figures, strict=True))
    return out
