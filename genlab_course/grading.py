"""Exercises that know their likely mistakes.

An exercise has a right answer, the wrong ones that people give, and a sentence for each of these.
An attempt is compared with all of them on several inputs, so that the reply names the
misunderstanding. Any other attempt is told what differs: of a function's results one expected
number may be shown; of an answer found by hand none, only a factor of -1, 2, 1/2 or log 2.
"""

import functools
import hashlib
import html
import importlib.util
import inspect
import linecache
import math
import os
import pkgutil
import re
import textwrap
import tomllib
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from IPython.display import Markdown, display

from genlab_course.answers import answered, guess_of, record
from genlab_course.differences import Tolerance, difference, numbers, ragged
from genlab_course.places import folder
from genlab_course.predictions import Prediction, is_prediction

HINTS: dict[str, list[str]] = tomllib.loads(
    (Path(__file__).parent / "data" / "hints.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and the sentence that names it."""

    wrong: Any  # as such a learner would type it, complete in itself: a function, or a value
    says: str  # names the mistake; never the answer

    @classmethod
    def pairs(cls, *wrong_and_says: Any) -> tuple["Mistake", ...]:
        """Several mistakes, each a wrong answer and then its sentence."""
        pairs = zip(wrong_and_says[::2], wrong_and_says[1::2], strict=True)
        return tuple(cls(wrong, says) for wrong, says in pairs)


@dataclass(frozen=True)
class Exercise:
    """One exercise: `right`, with `cases` for a function, or a `judge`, or both in this order."""

    id: str  # "02.sequence-nll": lesson (or system), then name
    right: Any = None  # a correct function or value; with a judge: an answer that it accepts
    cases: tuple[tuple[Any, ...], ...] | None = None  # arguments to try; None for a value
    mistakes: tuple[Mistake, ...] = ()
    hints: str = ""  # three lines, from a nudge to nearly the answer; empty: those of HINTS
    judge: Callable[[Any], str] | None = None  # "" when right, else the sentence to say
    rtol: float | None = None  # None: 1e-4, or three digits where the answer is a number by hand
    atol: float | None = None
    synonyms: Mapping[str, str] = field(default_factory=dict)  # other words, in lower case

    def __post_init__(self) -> None:
        if not self.hints:
            object.__setattr__(self, "hints", "\n".join(HINTS.get(self.id, ())))


def bank(names: dict[str, Any]) -> tuple[Exercise, ...]:
    """The exercises among a module's names, in the order in which they are written."""
    return tuple(value for value in names.values() if isinstance(value, Exercise))


class RefusedError(ValueError):
    """A function of the exercise got what it should not; the text is the reply, as it stands."""


class _Untouched(Exception):  # noqa: N818 - a signal, not an error
    """The blank of the exercise is still empty."""


class _Crashed(Exception):  # noqa: N818 - carries the sentence that explains it
    """The learner's function raised."""


_FIXED = "the value is right, but training cannot follow it back to the weights: return a tensor"
_NO_RETURN = (
    "your function returned a value for some arguments and None for others: "
    "a `return` is missing on one of its paths"
)
_ASKED = "see the text of the exercise, above the cell"
_BANKS = f"{__package__}.exercises"
LABS = {  # labs and frontier notebooks whose exercises begin with a shorter word
    "few": "frontier_few_step", "fm": "frontier_flow_matching",
    "large": "frontier_predict_the_large_run", "ld": "system_latent_diffusion",
    "lm": "system_language_model", "npe": "system_flow_density_estimator",
    "par": "frontier_discrete_and_parallel", "speed": "frontier_speedrun",
    "style": "system_stylegan", "video": "system_text_to_video",
}  # fmt: skip


# ids never given again
RETIRED = (
    "01.bayes", "01.marginal", "01.score", "01.classify", "01.hybrid", "01.passes", "01.choose",
    "02.leaks", "02.perplexity",
    "03.nll-from-counts", "03.forward-fit", "03.error-bar", "03.smoothing",
    "04.parallelogram", "04.log-det", "04.evaluations", "04.coupling-inverse", "04.bits",
    "05.split", "05.mean-field", "05.m-step",
    "06.kl", "06.step", "06.reinforce", "06.bits", "06.waste",
    "15.residual", "15.tokens-a-pass", "15.price-of-parallel", "par.total-correlation",
    "par.residual", "par.tokens", "15.passes",
    "15.read", "15.flux-schnell", "15.midjourney-v7", "15.var", "15.transfusion", "15.tarflow",
    "15.alphafold3", "15.wan", "15.sora2", "15.disguises",
    "07.best-critic", "07.value", "07.look-ahead", "07.mode-kl",
    "08.lipschitz-of-a-stack",
    "09.inception-score", "09.frechet-diagonal", "09.which-metric",
    "10.quadratic-z", "10.gradient-in-c",
    "11.parabola", "11.ladder",
    "12.v-against-eps",
    "fm.budget", "fm.own-pairs", "fm.predict-times",
    "large.line", "large.score", "large.predict-rate",
    "few.straightness", "few.rows-at-zero",
    "ld.captions", "ld.pipeline", "ld.pixel-std",
    "speed.levels", "speed.decay",
)  # fmt: skip


def all_exercises() -> Iterator[Exercise]:
    """Yield every exercise of the course, lesson by lesson."""
    banks = importlib.import_module(_BANKS)
    names = sorted(m.name for m in pkgutil.iter_modules(banks.__path__))
    for module in sorted(names, key=lambda name: not name.startswith("lesson")):
        yield from importlib.import_module(f"{_BANKS}.{module}").EXERCISES


def _module(lesson: str) -> Any:
    """The bank of the exercises whose ids begin with `lesson`, or None."""
    name = f"lesson_{lesson}" if lesson.isdigit() else LABS.get(lesson, f"system_{lesson}")
    found = importlib.util.find_spec(f"{_BANKS}.{name}")
    return found and importlib.import_module(f"{_BANKS}.{name}")


def _bank(lesson: str) -> tuple[Exercise, ...]:
    """The exercises whose ids begin with `lesson`; without such a bank, all there are."""
    module = _module(lesson)
    found: tuple[Exercise, ...] = module.EXERCISES if module else tuple(all_exercises())
    return found


def find_prediction(id: str) -> Prediction:
    """The prediction of an id, such as "12.predict-lost"; ValueError lists those of its lesson."""
    names = vars(_module(id.partition(".")[0]) or object)
    known = {value.id: value for value in names.values() if isinstance(value, Prediction)}
    if id not in known:
        raise ValueError(f"no prediction {id!r}; there are: {', '.join(known) or 'none'}")
    return known[id]


def find_exercise(id: str) -> Exercise:
    """The exercise of an id, such as "02.sequence-nll"; ValueError lists those of its lesson."""
    bank = {e.id: e for e in _bank(id.partition(".")[0])}
    if id not in bank:
        raise ValueError(f"no exercise {id!r}; there are: {', '.join(bank)}")
    return bank[id]


def exercise(id: str, answer: Any) -> None:
    """Say whether an answer, a function or a value, is right, or else which mistake it shows.

    An answer of `None`, `...` or a function returning them is untouched. Never raises because of
    the answer, so that an unfinished notebook still runs to its end; ValueError for an unknown id.
    A prediction ("12.predict-lost") is noted, and `predicted` shows it again.
    """
    if is_prediction(id):
        _note(find_prediction(id), answer)
        return
    reply = assess(task := find_exercise(id), answer)
    if reply == "right":
        _right_answers[id] = answer
    unkept = ""
    if reply != "not attempted":
        named = [mistake_id(id, m.says) for m in task.mistakes if reply == f"not yet: {m.says}"]
        told = named and os.environ.get("GENLAB_MISTAKES") != "0"
        unkept = record(id, reply == "right", mistake=named[0] if told else "")
    display(Reply(id, reply))
    if unkept:
        print(unkept)


def _note(task: Prediction, answer: Any) -> None:
    """Keep a prediction and say so, or say what can be predicted."""
    if answer is None or answer is Ellipsis:
        display(Reply(task.id, "not attempted"))
        return
    try:
        guess = task.read(answer)
    except ValueError as error:
        display(Reply(task.id, f"not yet: {error}"))
        return
    _predicted[task.id] = guess
    unkept = record(task.id, True, guess=guess)
    display(Reply(task.id, f"noted: you predict {guess}"))
    if unkept:
        print(unkept)


def predicted(id: str, here: float | str) -> None:
    """Show what was predicted, of this kernel or an earlier one, beside what a lesson finds.

    A number is shown to three digits with the prediction's unit, words as they are.
    """
    task = find_prediction(id)
    found = here if isinstance(here, str) else f"{here:.3g} {task.unit}".rstrip()
    place = folder()
    guess = _predicted.get(id) or (guess_of(id, place) if place else "") or "nothing"
    display(Reply(id, f"predicted: you said {guess}; here it is {found}"))


# Of a reply in a notebook: a sign, and a colour for white words and light or dark pages.
LOOKS = {
    "right": ("✓", "#00664B"),
    "not yet": ("✗", "#A04400"),
    "not attempted": ("○", "#666666"),
    "noted": ("✎", "#666666"),
    "predicted": ("✎", "#666666"),
}


@dataclass(frozen=True)
class Reply:
    """What is said of an answer: a line where text is printed, a coloured box in a notebook."""

    id: str
    says: str

    def __repr__(self) -> str:
        return f"[{self.id}] {self.says}"

    def _repr_html_(self) -> str:
        verdict, _, why = self.says.partition(": ")
        sign, colour = LOOKS[verdict]
        why = re.sub(r"`([^`]+)`|(course\.hint\([^)]*\))", r"<code>\1\2</code>", html.escape(why))
        why = f'<p style="margin:8px 0 0 0">{why}</p>' if why else ""
        chip = f"color:white;background-color:{colour};padding:1px 8px;border-radius:4px"
        return (
            f'<div class="genlab-reply" style="border-left:5px solid {colour};padding:6px 12px;'
            f'margin:2px 0"><p style="margin:0"><b style="{chip}">{sign} {verdict}</b> '
            f"<code>[{self.id}]</code></p>{why}</div>"
        )


def mistake_id(id: str, says: str) -> str:
    """What a named mistake is counted by, whatever stands before it in the bank."""
    return f"{id}/{hashlib.sha256(says.encode()).hexdigest()[:6]}"


_right_answers: dict[str, Any] = {}  # of this kernel
_predicted: dict[str, str] = {}  # of this kernel


def yours(id: str) -> Any:
    """The learner's last right answer in this kernel, or else the worked solution; says which."""
    own = id in _right_answers
    print(f"[{id}] what follows runs with {'your answer' if own else 'the worked solution'}")
    task = find_exercise(id)
    return _in_tensors(_right_answers[id], task) if own else task.right


def _in_tensors(answer: Any, task: Exercise) -> Any:
    """A right answer that was written for arrays or lists, where the solution has tensors."""
    like = task.right(*_copy(task.cases[0])) if task.cases and callable(task.right) else None
    if not isinstance(like, torch.Tensor):
        return answer
    dtype = torch.get_default_dtype() if like.is_floating_point() else like.dtype

    @functools.wraps(answer)
    def called(*given: Any, **named: Any) -> torch.Tensor:
        try:
            out = answer(*given, **named)
        except (TypeError, ValueError, AttributeError, RuntimeError):
            out = answer(*map(_as_arrays, given), **named)
        return out if isinstance(out, torch.Tensor) else torch.as_tensor(numbers(out)).to(dtype)

    return called


def solution(id: str) -> None:
    """Show the worked solution, once the answer was right or all three hints were read."""
    task = find_exercise(id)
    place = folder()
    before = answered(place).get(id) if place else None
    hints = len(task.hints.splitlines())
    if id in _right_answers or (before and before.right) or _hints_given.get(id, 0) >= hints:
        display(Markdown(f"```python\n{worked(task)}\n```"))
    else:
        print(f"[{id}] one solution opens here after a right answer, or after the third hint")


def worked(task: Exercise) -> str:
    """The worked solution as it is written in the bank."""
    if not inspect.isfunction(task.right):
        return repr(task.right)
    code = textwrap.dedent(inspect.getsource(task.right)).rstrip()
    return code.removeprefix("right=").removesuffix(",")  # a lambda is an argument there


def assess(task: Exercise, answer: Any) -> str:
    """The reply to an answer, as for `exercise`: "not attempted", "right", or "not yet: ..."."""
    try:
        reply = "" if task.judge and not task.cases else _compare(task, answer)
        reply = reply or (_judged(task, answer) if task.judge else "")
    except _Untouched:
        return "not attempted"
    except _Crashed as crash:
        reply = str(crash)
    except Exception as error:  # a learner's bug must not stop the notebook
        what = "what your function returns" if task.cases else _shown(answer)
        reply = f"{what} could not be read ({type(error).__name__}: {error})"
    return f"not yet: {reply}" if reply else "right"


def _judged(task: Exercise, answer: Any) -> str:
    """What the judge says; a function that is blank or fails is not judged."""
    assert task.judge is not None
    if not callable(answer):
        try:
            return task.judge(_touched(answer))
        except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            kind = type(task.right).__name__
            wanted = f"an answer of type {kind}" if task.right else "a different kind of answer"
            said = f"{_shown(answer)} could not be read. Expected {wanted}: {_ASKED}"
            raise _Crashed(said) from error

    @functools.wraps(answer)
    def watched(*given: Any, **named: Any) -> Any:
        return _touched(answer(*given, **named))

    try:
        return task.judge(watched)
    except _Untouched:
        raise
    except Exception as error:
        raise _Crashed(_explain(error, answer, task)) from error


def _touched(value: Any) -> Any:
    if value is None or value is Ellipsis:
        raise _Untouched
    return value


def _copy(value: Any) -> Any:
    """Copy an argument: an answer may change what it is given. Models and functions stay."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, tuple):
        return tuple(map(_copy, value))
    return value.copy() if isinstance(value, np.ndarray | list | dict) else value


def _results(answer: Any, task: Exercise) -> list[Any]:
    """Return the answer for every case: a function may be written for arrays or for tensors."""
    if task.cases is None:
        return [_touched(answer)]
    try:
        found = [_word(answer(*_copy(case)), task) for case in task.cases]
    except _Untouched:
        raise
    except Exception as error:
        for form in (_as_tensors, _as_arrays):
            try:
                return [_touched(answer(*map(form, case))) for case in task.cases]
            except Exception:
                continue
        said = str(error) if isinstance(error, RefusedError) else _explain(error, answer, task)
        raise _Crashed(said) from error
    blank = [value is None or value is Ellipsis for value in found]
    if all(blank):
        raise _Untouched
    if any(blank):
        raise _Crashed(_NO_RETURN)
    return found


def _word(value: Any, task: Exercise) -> Any:
    return task.synonyms.get(value.strip().lower(), value) if isinstance(value, str) else value


def _as_tensors(value: Any) -> Any:
    numbers = isinstance(value, list) and all(isinstance(v, float) for v in value)
    return torch.tensor(value) if numbers or isinstance(value, np.ndarray | float) else _copy(value)


def _as_arrays(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(v, float) for v in value):
        return np.array(value)
    return value.detach().numpy().copy() if isinstance(value, torch.Tensor) else _copy(value)


def _explain(error: Exception, answer: Any, task: Exercise) -> str:
    """Say in a sentence what an exception of the learner's function means, and in which line."""
    text = str(error)
    case = task.cases[0] if task.cases else None
    try:
        if case is not None:
            inspect.signature(answer).bind(*case)
    except TypeError:
        given = len(inspect.signature(answer).parameters)
        asked = len(case or ())
        called = f"{asked} argument{'' if asked == 1 else 's'}"
        names = f"its definition names {given}"
        return f"your function is called with {called}, but {names}: {_ASKED}"
    except ValueError:  # a function in C has no signature
        pass
    if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
        says = f"{text}: import it, or define it in a cell above"
    elif isinstance(error, ZeroDivisionError):
        says = "something is divided by zero"
    elif "math domain error" in text or "expected a positive input" in text:
        says = (
            "you take the logarithm or root of a number that is not positive. "
            "Is a sign wrong, or an absolute value missing?"
        )
    elif any(sign in text for sign in ("broadcast", "must match the size", "cannot be multiplied")):
        says = "two shapes do not fit together: print the .shape of what you combine"
    elif isinstance(error, IndexError):
        says = "an index lies beyond the end"
    elif "Expected target size" in text:
        says = "cross_entropy wants the classes on axis 1: logits.mT"
    else:
        says = "Python could not run it"
    frames = traceback.extract_tb(error.__traceback__)
    own = getattr(getattr(answer, "__code__", None), "co_filename", None)
    line = next((f for f in reversed(frames) if f.filename == own and f.lineno), None)
    code = linecache.getline(line.filename, line.lineno or 0).strip() if line else ""
    where = f" in the line `{code}`" if code else ""
    return f"your function stopped{where}: {says} ({type(error).__name__}: {text})"


def _compare(task: Exercise, answer: Any) -> str:
    if task.cases is not None and not callable(_touched(answer)):
        return f"expected a function, got {_shown(answer)}"
    given = _results(answer, task)
    right = _results(task.right, task)
    if all(_same(g, r, task) for g, r in zip(given, right, strict=True)):
        fixed = any(getattr(r, "requires_grad", False) for r in right) and not all(
            getattr(g, "requires_grad", False) for g in given
        )
        return _FIXED if fixed else ""
    for mistake in task.mistakes:
        wrong = _results(mistake.wrong, task)
        if all(_same(g, w, task) for g, w in zip(given, wrong, strict=True)):
            return mistake.says
    try:
        within = tolerance(task, right[0] if task.cases else numbers(right[0]))
    except (TypeError, ValueError):  # words
        within = Tolerance(0.0, 0.0)
    said = difference(given, right, within, show=task.cases is not None)
    return f"{said}{' Try' if said[-1] in '.?' else '; try'} course.hint({task.id!r})"


def _same(given: Any, wanted: Any, task: Exercise) -> bool:
    if isinstance(wanted, str) or isinstance(given, str):
        return str(given).strip().lower() == str(wanted).strip().lower()
    several = isinstance(given, tuple | list) and isinstance(wanted, tuple)
    if several and any(isinstance(w, torch.Tensor) for w in wanted):
        return len(given) == len(wanted) and all(
            _same(g, w, task) for g, w in zip(given, wanted, strict=True)
        )
    parts = tuple(given) if isinstance(given, list) else given
    if ragged(wanted) or ragged(parts):
        return False
    a = numbers(given)
    b = numbers(wanted)
    if a.size == b.size == 1:
        a = a.reshape(())
        b = b.reshape(())
    return a.shape == b.shape and bool(tolerance(task, b).agree(a, b).all())


def tolerance(task: Exercise, wanted: Any) -> Tolerance:
    """How far an answer may lie from `wanted`: three digits of what is found by hand."""
    by_hand = task.cases is None and not np.array_equal(wanted, np.round(wanted))
    rtol = task.rtol if task.rtol is not None else 5e-3 if by_hand else 1e-4
    atol = task.atol if task.atol is not None else 5.1e-4 if by_hand else 1e-6
    return Tolerance(rtol, atol)


def _shown(value: Any) -> str:
    """An answer in a few words: of an array its shape alone."""
    shape = getattr(value, "shape", ())
    if math.prod(shape) > 1:
        kind = "a tensor" if isinstance(value, torch.Tensor) else "an array"
        return f"{kind} of shape {tuple(shape)}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_hints_given: dict[str, int] = {}


def hint(id: str) -> None:
    """Print the next of the three hints of an exercise, from a nudge to nearly the answer."""
    hints = find_exercise(id).hints.splitlines()
    level = min(_hints_given.get(id, 0), len(hints) - 1)
    _hints_given[id] = level + 1
    print(f"[{id}] hint {level + 1} of {len(hints)}: {hints[level]}")
