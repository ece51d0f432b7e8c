"""The course's own row beside those of `genlab.zoo`: the reader of releases, a model without steps.

It offers what the commands ask of a `genlab.zoo.recipe.Recipe`, and `make` in the place of a loop.
"""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from genlab import zoo
from genlab.core.weights import read_card
from genlab.files import replace_file
from genlab_course import reader


class ReaderRow:
    """How the reader is fitted, measured and loaded; everything in numpy."""

    name, lesson, seed, seconds = "reader", 15, 0, 200.0
    what = 'a release text: paradigms, objective, sampling, likelihood, or "cannot tell"'
    path, size, ships = reader.WEIGHTS, 638_102, True
    load = staticmethod(reader.model)

    def card(self) -> dict[str, Any]:
        """The card, its figures named one by one: "paradigms_coverage", ..."""
        card = read_card(self.path)
        return card | {"metrics": _flat(card["metrics"])}

    def figures(self, model: reader.Model) -> dict[str, float]:
        """Coverage and accuracies on the test texts, four digits."""
        return _flat(reader.measure(reader.answers(model)))

    def make(self, path: Path, *, n_steps: int | None, force: bool, **_: Any) -> dict[str, Any]:
        """Fit anew, and write weights and card; `force` replaces a file that is there."""
        if n_steps is not None:
            raise ValueError("the reader is fitted whole: it has no --steps")
        if path.exists() and not force:
            raise FileExistsError(f"{path} exists: --force replaces it, --out names another place")
        path.parent.mkdir(parents=True, exist_ok=True)
        start = time.process_time()
        reader.save(reader.fit_reader(self.seed), path)
        seconds = round(time.process_time() - start, 1)
        fitted = reader.load(path)
        given = reader.answers(fitted)
        found = {"metrics": reader.measure(given), "seconds": seconds}
        found |= {"cross_validated": fitted.cross_validated, "threshold": fitted.threshold}
        found |= {"curve": {field: reader.curve(given, field) for field in reader.FIELDS}}
        data = path.read_bytes()
        found |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()[:16]}
        card = read_card(self.path) | found
        replace_file(path.with_suffix(".json"), json.dumps(card, indent=2).encode())
        return card | {"metrics": _flat(card["metrics"])}


def _flat(metrics: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{f}_{name}": round(v, 4) for f, m in metrics.items() for name, v in m.items()}


READER = ReaderRow()


def card(name: str) -> dict[str, Any]:
    """What was written beside the weights of the reader, or of a model of `genlab.zoo`."""
    return read_card(READER.path) if name == READER.name else zoo.card(name)
