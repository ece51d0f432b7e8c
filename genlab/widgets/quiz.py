"""The quiz of a lesson: plain ipywidgets, works offline, every option explains itself."""

import html
import re

import ipywidgets

from ..course.progress import record
from ..course.quiz import Question, questions

MATHS = re.compile(r"(\$[^$]+\$)")
CHIP = "color:#FFFFFF;background:{};padding:0 0.4em;border-radius:3px"  # readable on any theme
RIGHT, WRONG = "#00664B", "#A04400"


def as_html(text: str) -> str:
    """Write the text of a question as HTML: `<` is no tag, `code` and *emphasis* are shown.

    Args:
        text: with maths between dollar signs.

    Example:
        >>> as_html("is `q` *all* of $x_{<i}$?")
        'is <code>q</code> <em>all</em> of $x_{&lt;i}$?'
    """
    parts = MATHS.split(html.escape(text, quote=False))
    for k in range(0, len(parts), 2):  # between the maths
        parts[k] = re.sub(r"`([^`]+)`", r"<code>\1</code>", parts[k])
        parts[k] = re.sub(r"(?<!\w)\*([^*]+)\*(?!\w)", r"<em>\1</em>", parts[k])
    return "".join(parts)


class QuizCard(ipywidgets.VBox):  # type: ignore[misc]
    """One question with its options and the explanation of the chosen one."""

    def __init__(self, number: int, question: Question, lesson: str = "") -> None:
        self.question, self.id = question, f"{lesson}.quiz.{number}"
        layout = ipywidgets.Layout(width="auto", height="auto", margin="2px 0")
        self.buttons = [
            ipywidgets.ToggleButton(description=letter, layout=ipywidgets.Layout(width="3em"))
            for letter in "abcdefgh"[: len(question.options)]
        ]
        self.reply = ipywidgets.HTMLMath(value="", layout=layout)
        rows = [
            ipywidgets.HBox(
                [button, ipywidgets.HTMLMath(value=as_html(option.text), layout=layout)]
            )
            for button, option in zip(self.buttons, question.options, strict=True)
        ]
        for index, button in enumerate(self.buttons):
            button.tooltip = f"choose option {button.description}"
            button.observe(lambda change, i=index: self._chosen(change["new"], i), names="value")
        head = ipywidgets.HTMLMath(
            value=f"<b>{number}.</b> {as_html(question.text)}", layout=layout
        )
        super().__init__([head, *rows, self.reply])

    def _chosen(self, pressed: bool, index: int) -> None:
        if pressed:
            self._answer(index)

    def choose(self, index: int) -> None:
        """Choose an option, as a click does.

        Args:
            index: 0 for option a.

        Raises:
            ValueError: no such option.
        """
        if not 0 <= index < len(self.buttons):
            raise ValueError(f"option must be in 0..{len(self.buttons) - 1}, got {index}")
        self.buttons[index].value = False  # a second time is an answer, too
        self.buttons[index].value = True

    def _answer(self, index: int) -> None:
        for other, button in enumerate(self.buttons):
            button.value = other == index
        option = self.question.options[index]
        record(self.id, option.right)
        verdict = "Right." if option.right else "Not this one."
        style = CHIP.format(RIGHT if option.right else WRONG)
        self.reply.value = f"<b style='{style}'>{verdict}</b> {as_html(option.why)}"


class Quiz(ipywidgets.VBox):  # type: ignore[misc]
    """All questions of a lesson, one below the other."""

    def __init__(self, asked: tuple[Question, ...], lesson: str = "") -> None:
        self.cards = [QuizCard(n, q, lesson) for n, q in enumerate(asked, 1)]
        super().__init__(self.cards)


def quiz(lesson: int | str) -> Quiz:
    """Make the quiz of a lesson.

    Args:
        lesson: its number, 1..15, or the name of a system's lab.

    Returns:
        The widget; `cards[k].choose(i)` answers question k without a browser.

    Raises:
        ValueError: the lesson has no quiz.
    """
    return Quiz(questions(lesson), lesson if isinstance(lesson, str) else f"{lesson:02d}")
