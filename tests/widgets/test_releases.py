"""The box and its reading, and the clinic: what is typed or chosen changes what is shown."""

import html

from genlab_course.widgets import clinic, release_reader
from genlab_course.widgets.releases import STEPS


def test_typing_changes_the_reading():
    widget = release_reader()
    before = widget.reading.value
    assert "<mark" in before
    widget.read("A generator is trained against a discriminator; samples need one pass.")
    assert widget.reading.value != before
    assert "<b>adversarial</b>" in widget.reading.value


def test_markup_in_a_text_is_shown_and_not_run():
    assert "<script" not in release_reader("<script>alert(1)</script> a GAN").reading.value


def test_an_empty_box_says_what_to_do():
    assert "the text is empty" in release_reader("").reading.value


def answer(widget, key):
    for step, blank in widget.blanks.items():
        blank.value = key[step]
    widget.press()


def test_the_clinic_opens_its_key_only_after_four_answers():
    widget = clinic()
    text = widget.text.value
    widget.blanks["sampling"].value = "sequential"
    widget.press()
    assert "Still to answer: objective, likelihood, paradigms" in widget.reply.value
    assert widget.text.value == text
    assert widget.dealt == 0


def test_the_clinic_keeps_score_by_step_and_names_what_is_confused():
    widget = clinic(seed=1)
    answer(widget, widget._key)
    assert widget.reply.value.count("right (1 of 1 so far)") == len(STEPS)
    assert all(blank.disabled for blank in widget.blanks.values())
    first = widget.text.value
    widget.press()
    assert widget.text.value != first
    assert not any(blank.disabled for blank in widget.blanks.values())
    assert all(blank.value is None for blank in widget.blanks.values())
    key = widget._key
    wrong = next(o for o in widget.blanks["sampling"].options if o != key["sampling"])
    answer(widget, key | {"sampling": wrong})
    assert f"the key says {key['sampling']} (1 of 2 so far)" in widget.reply.value
    assert f"most often: {key['sampling']} taken for {wrong} (1)" in widget.reply.value


def test_a_hybrid_with_a_codec_may_have_a_bound_or_none_and_nothing_else_is_let_through():
    keys = [key for _, key in clinic()._pile]
    codec = next(k for k in keys if "latent-variable + score" in k["paradigms"])
    alone = next(k for k in keys if k["paradigms"] == "latent-variable")
    for made, label, said, right in (
        (codec, "bound", "none", 1),
        (codec, "none", "bound", 1),
        (codec, "bound", "exact", 0),
        (alone, "bound", "none", 0),
    ):
        widget = clinic()
        widget._key = made | {"likelihood": label}
        answer(widget, widget._key | {"likelihood": said})
        assert widget.right["likelihood"] == right
        assert f"key says {label}" in widget.reply.value


def test_the_clinic_deals_the_same_texts_for_a_seed_and_shows_no_key_in_a_still():
    one, two = clinic(seed=3), clinic(seed=3)
    assert one.text.value == two.text.value != clinic(seed=4).text.value
    still = one._still()
    assert one.text.value in still["text/html"]
    assert "key says" not in still["text/html"]
    assert all(key[step] in one.blanks[step].options for _, key in one._pile for step in STEPS)
    assert len(one._pile) > 400
    one.dealt = next(i for i, (text, _) in enumerate(one._pile) if "<" in text or "&" in text)
    one._deal()
    assert html.escape(one._pile[one.dealt][0]) in one.text.value


def test_marks_of_markdown_go_and_stars_of_formulas_stay():
    widget = clinic()
    widget._pile = [("# Big\n\n**A** *b* c, d * e; F # 2", widget._key)]
    widget._deal()
    assert ">Big\n\nA b c, d * e; F # 2</p>" in widget.text.value
    assert "white-space:pre-line" in widget.text.value
