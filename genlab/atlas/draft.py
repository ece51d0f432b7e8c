"""What is known of a release while its conclusions are drawn, and why.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from dataclasses import dataclass, field

from .aim import Balance
from .findings import Finding
from .steps import VARIANT, Steps

AR, FLOW, LATENT, ADV, SCORE = ORDER = (
    "autoregressive", "flow", "latent-variable", "adversarial", "score-based",
)  # fmt: skip
FEW = 8  # steps: fewer are the odd claim of a few-step diffusion
Reason = Finding | Steps | str


@dataclass
class Draft:
    """What is known of a release while the conclusions are drawn."""

    findings: list[Finding]
    steps: list[Steps]
    name: tuple[str, bool] | None = None  # what the release calls itself; does it draw samples?
    aim: Balance | None = None  # what it is for
    paradigms: set[str] = field(default_factory=set)
    objective: set[str] = field(default_factory=set)
    sampling: str = "cannot tell"
    likelihood: str = "cannot tell"
    flags: set[str] = field(default_factory=set)
    ordered: list[Finding] = field(default_factory=list)  # why a flow goes piece by piece
    because: dict[str, list[Reason]] = field(default_factory=dict)

    def said(self, axis: str, value: str, *, hint: bool | None = None) -> list[Finding]:
        """Return the asserted findings of one kind."""
        return [
            f for f in self.findings
            if f.asserted and (f.axis, f.value) == (axis, value) and hint in (None, f.rule.hint)
        ]  # fmt: skip

    def mentioned(self, axis: str, value: str) -> list[Finding]:
        """Return the findings of one kind that the text only mentions."""
        return [
            f
            for f in self.findings
            if f.polarity == "mention" and (f.axis, f.value) == (axis, value)
        ]

    def sign(self, value: str) -> list[Finding]:
        """Return the asserted findings of a sign."""
        return self.said("sign", value)

    def conclude(self, what: str, *reasons: Reason) -> None:
        """Note why something was concluded."""
        self.because.setdefault(what, []).extend(reasons)


def flag(draft: Draft, name: str, *reasons: Reason) -> None:
    """Raise a flag, and note why."""
    draft.flags.add(name)
    draft.conclude(f"flag: {name}", *reasons)


def order_of_a_flow(draft: Draft) -> list[Finding]:
    """Return why a flow is drawn piece by piece."""
    return draft.sign("ordered flow") + draft.ordered


def distilled_from(draft: Draft) -> list[Finding]:
    """Return where the text speaks of distillation that its own samples come from."""
    few = any(s.high <= FEW for s in draft.steps)
    if draft.sign("undistilled") and not few:
        return []
    taught = draft.said("objective", "distillation")
    return [f for f in taught if not VARIANT.search(f.context)]  # not that of a variant beside it


def few_steps(draft: Draft) -> int | None:
    """Return the number of steps that the text says a sample takes: the default, or the least."""
    chosen = [s for s in draft.steps if s.default] or draft.steps
    return min((s.high for s in chosen), default=None)
