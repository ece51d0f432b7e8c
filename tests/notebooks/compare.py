"""When are two outputs of a notebook the same?

Text must be equal and integers exact. Floating-point numbers may differ by rounding, within RTOL
and ATOL, since another processor sums in another order. A number written with a leading tilde,
`~2.03`, is declared to be a range: its cell asserts the interval, and its digits are not compared.
Runs of white space count as one blank, because columns widen with the digits in them."""

import math
import re

RTOL = 1e-3  # float32 sums in another order differ by about 1e-6; numbers print 3 digits or more
ATOL = 1e-6  # below this, a printed number is rounding noise around zero

DIGITS = r"(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?"
NUMBER = re.compile(rf"(?<![\w.])[-+]?{DIGITS}(?![\w])")
# "~2.03", "~-1e-4", "~1,234"; not the tie of LaTeX ("Figure~2"), which follows a word or a brace.
RANGE = re.compile(rf"(?<![\w}}])~[-+]?(?:\d{{1,3}}(?:,\d{{3}})+(?!\d)|{DIGITS})")


def split(text):
    """Return the words of `text`, with a mark for each number, and the numbers as written."""
    text = RANGE.sub("~RANGE", text)
    return " ".join(NUMBER.sub("\0", text).split()), NUMBER.findall(text)


def same_number(left, right):
    """Whether two written numbers agree: equal as text, or two floats within the tolerance."""
    if left == right:
        return True
    if not all(re.search(r"[.eE]", number) for number in (left, right)):
        return False
    return math.isclose(float(left), float(right), rel_tol=RTOL, abs_tol=ATOL)


class Tolerant(str):
    """A string that equals another when only rounding or a declared range tells them apart."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        if not isinstance(other, str):
            return NotImplemented
        if str.__eq__(self, other):
            return True
        (words, numbers), (other_words, other_numbers) = split(str(self)), split(str(other))
        return (
            words == other_words
            and len(numbers) == len(other_numbers)
            and all(map(same_number, numbers, other_numbers))
        )

    def __ne__(self, other):
        return not self == other
