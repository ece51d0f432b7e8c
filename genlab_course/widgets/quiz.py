"""The quiz of a lesson: plain ipywidgets, works offline, every option explains itself."""

import html

import ipywidgets

from genlab_course.answers import record
from genlab_course.quiz import Question, as_html, questions
from genlab_course.widgets.explorer import Stored

CHIP = "color:#FFFFFF;background:{};padding:0 0.4em;border-radius:3px"  # readable on any theme
RIGHT, WRONG = "#00664B", "#A04400"
LETTERS = "abcdefgh"
# The button of an option answers for its whole row.
STYLE = """<style>
.genlab-option { position: relative; border-left: 5px solid transparent; border-radius: 3px; }
.genlab-option:hover { background: rgba(128, 128, 128, 0.15); }
.genlab-option .widget-toggle-button { position: static; flex: none; }
.genlab-option .widget-toggle-button::after {
  content: ""; position: absolute; inset: 0; z-index: 1; }
.genlab-option.genlab-right { border-color: RIGHT; background: rgba(0, 128, 94, 0.2); }
.genlab-option.genlab-wrong { border-color: WRONG; background: rgba(213, 94, 0, 0.2); }
</style>""".replace("RIGHT", RIGHT).replace("WRONG", WRONG)


class QuizCard(ipywidgets.VBox):
    """One question with its options and the explanation of the chosen one."""

    def __init__(self, number: int, question: Question, lesson: str = "") -> None:
        self.question, self.id = question, f"{lesson}.quiz.{number}"
        layout = ipywidgets.Layout(width="auto", height="auto", margin="2px 0")
        self.buttons = [
            ipywidgets.ToggleButton(description=letter, layout=ipywidgets.Layout(width="3em"))
            for letter in LETTERS[: len(question.options)]
        ]
        self.reply = ipywidgets.HTMLMath(value="", layout=layout)
        self.rows = rows = [
            ipywidgets.HBox(
                [button, ipywidgets.HTMLMath(value=as_html(option.text), layout=layout)],
                layout=ipywidgets.Layout(align_items="baseline"),
            )
            for button, option in zip(self.buttons, question.options, strict=True)
        ]
        for row in rows:
            row.add_class("genlab-option")
        for index, button in enumerate(self.buttons):
            button.tooltip = f"choose option {button.description}"
            button.observe(lambda change, i=index: self._chosen(change["new"], i), names="value")
        asked = f"<b>{number}.</b> {as_html(question.text)}"
        parts = [ipywidgets.HTMLMath(value=asked, layout=layout), *rows, self.reply]
        super().__init__(parts, layout=ipywidgets.Layout(margin="0 0 14px 0"))

    def _chosen(self, pressed: bool, index: int) -> None:
        if not pressed:
            return
        option = self.question.options[index]
        look = "genlab-right" if option.right else "genlab-wrong"
        for other, (button, row) in enumerate(zip(self.buttons, self.rows, strict=True)):
            button.value = other == index
            row._dom_classes = ("genlab-option", look)[: 1 + (other == index)]
        unkept = html.escape(record(self.id, option.right))
        verdict = "Right." if option.right else "Not this one."
        style = CHIP.format(RIGHT if option.right else WRONG)
        self.reply.value = f"<b style='{style}'>{verdict}</b> {as_html(option.why)}"
        self.reply.value += f"<p>{unkept}</p>" if unkept else ""

    def choose(self, index: int) -> None:
        """Choose an option, 0 for a, as a click does."""
        if not 0 <= index < len(self.buttons):
            raise ValueError(f"option must be in 0..{len(self.buttons) - 1}, got {index}")
        self.buttons[index].value = False  # a second time is an answer, too
        self.buttons[index].value = True


class Quiz(Stored):
    """All questions of a lesson, one below the other."""

    def __init__(self, asked: tuple[Question, ...], lesson: str = "") -> None:
        self.asked = asked
        self.cards = [QuizCard(n, q, lesson) for n, q in enumerate(asked, 1)]
        style = ipywidgets.HTML(STYLE, layout=ipywidgets.Layout(display="none"))
        super().__init__([*self.cards, style])

    def _still(self) -> dict[str, str]:
        """The questions without their answers."""
        words = "Run this cell to answer."
        plain = f"A quiz of {len(self.asked)} questions. {words}"
        return {"text/plain": plain, "text/markdown": f"*{words}*\n\n{as_markdown(self.asked)}"}


def as_markdown(asked: tuple[Question, ...]) -> str:
    """Write questions and options as Markdown, with no word about which is right."""
    parts = []
    for number, question in enumerate(asked, 1):
        options = zip(LETTERS, question.options, strict=False)
        listed = "\n".join(f"- **{letter}.** {option.text}" for letter, option in options)
        parts.append(f"**{number}.** {question.text}\n\n{listed}")
    return "\n\n".join(parts)


def quiz(lesson: int | str) -> Quiz:
    """The quiz of a lesson or lab; `cards[k].choose(i)` answers without a browser."""
    return Quiz(questions(lesson), lesson if isinstance(lesson, str) else f"{lesson:02d}")
