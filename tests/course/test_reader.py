"""The release reader: what it may learn from, what it may see, and what its card claims."""

import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from genlab.map import SCORE
from genlab_course import reader
from genlab_course.reader import (
    CANNOT_TELL,
    FIELDS,
    highlight,
    in_words,
    mask,
    read,
    releases,
    truth,
)

TRAIN, TEST, ASIDE = (releases(split) for split in ("train", "test", "aside"))
CARD = json.loads((reader.DATA / "reader.json").read_text(encoding="utf-8"))
LATENT = (
    "We present Zorp, a latent diffusion model. A variational autoencoder compresses images to "
    "latents, and a U-Net trained by denoising samples them in 50 steps."
)


# --- the data


def test_every_text_is_kept_once_and_labelled():
    everything = TRAIN + TEST + ASIDE
    assert (len(TRAIN), len(TEST), len(ASIDE)) == (1878, 358, 343)
    assert len({row["id"] for row in everything}) == len({row["text"] for row in everything})
    assert all(row["system"] and row["text"].strip() for row in everything)


def test_train_and_test_share_no_system_by_label():
    assert not {row["system"] for row in TRAIN} & {row["system"] for row in TEST}


def squashed(name):
    return re.sub(r"[^a-z0-9]", "", re.split(r"[(/:,]", name.lower())[0])


def test_no_name_of_a_test_system_is_part_of_a_name_in_train_or_the_reverse():
    """Checked on the names as they were written, whatever family the data file puts them in."""
    test = {squashed(row["named"]) for row in TEST if row["named"]}
    train = {squashed(row["named"]) for row in TRAIN if row["named"]}
    shared = {(a, b) for a in test for b in train if a == b or (len(a) > 6 and a in b)}
    shared |= {(a, b) for a in test for b in train if len(b) > 6 and b in a}
    generic = {"diffusionmodels"}  # the first words of a survey's title
    assert {(a, b) for a, b in shared if "invented" not in a + b and a not in generic} == set()


def test_no_training_text_resembles_a_test_text():
    """For texts that name no system: no cosine of words and pairs of words reaches 0.2."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words="english")
    vectors.fit([row["text"] for row in TRAIN + TEST + ASIDE])
    a, b = (vectors.transform([row["text"] for row in rows]) for rows in (TRAIN, TEST))
    assert (a @ b.T).max() < 0.2


# --- masking


def test_no_capital_and_no_digit_survives_outside_the_terms():
    words = {word for row in TEST for word, _, _ in mask(row["text"])}
    assert all(word == word.lower() for word in words)
    assert {word for word in words if re.search(r"\d", word)} <= reader.TERMS | {"#1"}


def test_masking_removes_every_product_name():
    """Of every text's own system, each word of its name that is no term and no common word."""
    for row in TEST + TRAIN:
        names = set(re.findall(r"[A-Za-z]*[a-z][A-Z]\w*|[A-Z]{2,}\w*|\w*\d\w*", row["named"]))
        seen = {word for word, a, b in mask(row["text"]) if row["text"][a:b] in names}
        assert seen <= reader.TERMS | {"#", "#1", "#few", "#many", "§"}, row["id"]


@pytest.mark.parametrize("name", ["Zorp-2", "StyleGAN3", "SDXL", "HiFi-GAN", "GPT-4", "FlowNet"])
def test_a_name_changes_nothing(name):
    ours, theirs = (read(LATENT.replace("Zorp", n)).as_dict() for n in (name, "Quux"))
    assert ours == theirs


# --- reading


def test_a_plain_description_is_read():
    got = read(LATENT)
    assert json.loads(json.dumps(got.as_dict())) == got.as_dict()
    assert got.paradigms.value == ("latent-variable", SCORE)
    assert got.sampling.value == "two-stage"
    assert got.paradigms.confidence > 0.9


@pytest.mark.parametrize(
    "text",
    ["It rained all day, and the cat slept.", "Version 2.1 fixes typing errors.", "hello", "?!"],
)
def test_a_text_without_evidence_tells_nothing(text):
    got = read(text).as_dict()
    assert [got[field] for field in FIELDS] == [CANNOT_TELL] * 4


def test_an_answer_stands_on_phrases_of_the_text():
    for row in TEST[::7]:
        got = read(row["text"])
        for field in FIELDS:
            answer = getattr(got, field)
            assert all(row["text"][p.start : p.end] == p.text for p in answer.evidence)
            assert answer.value == CANNOT_TELL or answer.evidence[0].weight > 0
            assert 0 <= answer.confidence <= 1


def test_nothing_is_filled_in():
    """Trade-offs come from a map that is handed over, only under its name, only when it is sure."""
    assert set(read(LATENT).as_dict()) == {*FIELDS, "confidence", "evidence", "from_the_map"}
    assert read(LATENT).from_the_map == {}
    asked = []
    told = read(LATENT, trade_offs=lambda paradigms: asked.append(paradigms) or "slow")
    assert told.from_the_map == {"trade_offs": "slow"}
    assert asked == [("latent-variable", SCORE)]
    assert read("Nothing to see.", trade_offs=lambda _: "slow").from_the_map == {}


def test_highlight_keeps_the_text_and_escapes_it():
    text = LATENT + " <script>&"
    page = highlight(text, read(text))
    assert "<script>" not in page
    assert page.count("<mark") == len(read(text).paradigms.evidence)
    plain = re.sub(r"<[^>]*>", "", page).replace("&lt;", "<").replace("&gt;", ">")
    assert plain.replace("&amp;", "&") == text


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("diffusion " * 100_000, "at most"),
        ("\x00\x01\x02" * 50 + "diffusion", "control"),
        ("\ufffd" * 30 + "vae", "control"),
        (b"diffusion", "bytes"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_release_text_is_refused(bad, why):
    with pytest.raises(ValueError, match=why):
        read(bad)


def test_reading_needs_neither_torch_nor_sklearn_nor_scipy():
    code = (
        "import sys; from genlab_course.reader import read; read('a diffusion model');"
        "print({'torch', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.strip() == "set()"


# --- the card


@pytest.fixture(scope="module")
def answers():
    return [read(row["text"]).as_dict() for row in TEST]


@pytest.mark.slow
@pytest.mark.verify
@pytest.mark.parametrize("field", FIELDS)
def test_the_card_says_what_the_texts_say(field, answers):
    told = [(got[field], truth(row, field)) for got, row in zip(answers, TEST, strict=True)]
    said = [(tuple(a) if isinstance(a, list) else a) == t for a, t in told if a != CANNOT_TELL]
    claim = CARD["metrics"][field]
    assert claim["coverage"] == pytest.approx(len(said) / len(TEST), abs=0.006)
    assert claim["accuracy"] == pytest.approx(sum(said) / len(said), abs=0.012)


def plain(value):
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.slow
@pytest.mark.verify
def test_a_confidence_is_a_probability(answers):
    """Of answers near a confidence, about that proportion is right."""
    sure = [(got["confidence"][f], got[f] == plain(truth(row, f)))
            for got, row in zip(answers, TEST, strict=True) for f in FIELDS
            if got[f] != CANNOT_TELL]  # fmt: skip
    p, right = np.array(sure, float).T
    assert abs(p.mean() - right.mean()) < 0.05


def test_the_card_names_the_data_and_the_weights():
    for key, path in (("data_sha256", "releases.json.xz"), ("sha256", "reader.safetensors")):
        assert CARD[key] == hashlib.sha256((reader.DATA / path).read_bytes()).hexdigest()[:16]
    assert (reader.DATA / "releases.json.xz").stat().st_size < 1_000_000
    assert (reader.DATA / "reader.safetensors").stat().st_size < 1_500_000


@pytest.mark.verify
def test_the_recipe_gives_the_shipped_weights():
    fitted, shipped = reader.fit_reader(CARD["seed"]), reader.model()
    same = np.isin(fitted.hashes, shipped.hashes)
    assert same.mean() > 0.99
    rows = np.searchsorted(shipped.hashes, fitted.hashes[same])
    np.testing.assert_allclose(fitted.W[same], shipped.W[rows], atol=0.05)
    assert fitted.threshold == pytest.approx(shipped.threshold, abs=0.01)


def test_the_bound_of_a_latent_diffusion_is_printed_with_what_usual_training_leaves():
    latent = read(LATENT)
    assert latent.likelihood.value == "bound"
    assert in_words(latent, "likelihood") == "bound (none as usually trained)"
    assert in_words(latent, "paradigms") == "latent-variable, score / diffusion"
    vae = read(
        "Our variational autoencoder maximises the ELBO and decodes a prior draw in one pass."
    )
    assert in_words(vae, "likelihood") in ("bound", CANNOT_TELL)
