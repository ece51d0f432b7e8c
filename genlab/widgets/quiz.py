"""The quiz of a lesson: plain ipywidgets, works offline, every option explains itself."""

import ipywidgets

from ..course.progress import record
from ..course.quiz import Question, questions


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
            ipywidgets.HBox([button, ipywidgets.HTMLMath(value=option.text, layout=layout)])
            for button, option in zip(self.buttons, question.options, strict=True)
        ]
        for index, button in enumerate(self.buttons):
            button.tooltip = f"choose option {button.description}"
            button.observe(lambda change, i=index: self._chosen(change["new"], i), names="value")
        head = ipywidgets.HTMLMath(value=f"<b>{number}.</b> {question.text}", layout=layout)
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
        colour = "#00664B" if option.right else "#A04400"
        self.reply.value = f"<b style='color:{colour}'>{verdict}</b> {option.why}"


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
