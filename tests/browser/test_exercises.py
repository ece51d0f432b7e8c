"""A learner types an answer in JupyterLab, and what follows in the notebook runs with it.

The whole notebook is inspected on the way: maths, controls, a living figure, the quiz, no request
to another machine.
"""

import shutil

import pytest

from tests.browser import lab
from tests.browser.test_lessons import inspect

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("lab")]

# What a learner writes in place of the dots, and how often the rest of the notebook calls it.
COUNTING = "calls = []\n\n\ndef {name}{body}"
LOSS_02 = """(logits, x):
    calls.append(1)
    p = logits.log_softmax(-1).gather(-1, x[..., None])
    return -p.mean()"""
LOSS_12 = """(network, x0, t, eps, alphas_bar):
    calls.append(1)
    a = alphas_bar[t][:, None, None, None]
    return ((network(a**0.5 * x0 + (1 - a) ** 0.5 * eps, t) - eps) ** 2).mean()"""
LOSS_FM = """(network, x0, eps, t):
    calls.append(1)
    s = t.reshape(len(t), *[1] * (x0.ndim - 1))
    return ((network(x0 + s * (eps - x0), t) + x0 - eps) ** 2).mean()"""
LOSS_LD = """(network, read, z0, rows, t, eps, dropped):
    calls.append(1)
    s = t.reshape(-1, 1, 1, 1)
    states = read(rows * ~dropped[:, None])
    return ((network(z0 + s * (eps - z0), t, states) - eps + z0) ** 2).mean()"""
NOTEBOOKS = [
    pytest.param("02_autoregressive.ipynb", "02.loss", LOSS_02, 500),  # the quickest
    pytest.param("frontier/flow_matching.ipynb", "fm.loss", LOSS_FM, 300, marks=pytest.mark.tour),
    pytest.param("12_diffusion_i.ipynb", "12.training-step", LOSS_12, 600, marks=pytest.mark.tour),
    pytest.param(
        "systems/latent_diffusion.ipynb", "ld.training-step", LOSS_LD, 50, marks=pytest.mark.tour
    ),
]

TYPE = """([id, answer]) => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets;
    const asked = cells.find(cell => cell.model.sharedModel.getSource().includes(
        `course.exercise("${id}"`)).model.sharedModel;
    const [, name] = asked.getSource().match(/course\\.exercise\\("[^"]*", (\\w+)\\)/);
    const rest = asked.getSource().slice(asked.getSource().indexOf('course.exercise'));
    asked.setSource(answer.replace('{name}', name) + '\\n\\n\\n' + rest);
}"""
PRINTED = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code').flatMap(cell => cell.model.outputs.toJSON())
    .map(output => [output.text ?? output.data?.['text/plain'] ?? ''].flat().join(''))
    .join('\\n')"""


@pytest.mark.parametrize(("path", "id", "body", "least"), NOTEBOOKS)
def test_what_a_learner_writes_trains_the_networks_and_the_notebook_passes_inspection(
    path, id, body, least, page, server, report_row
):
    name = f"answered_{path.replace('/', '_')}"  # other tests look at the copies
    shutil.copy(server.root / "my" / path, server.root / name)
    answer = [id, COUNTING.replace("{body}", body)]
    seen = inspect(page, server, name, before=lambda: page.evaluate(TYPE, answer))
    report_row(seen.row(name.removesuffix(".ipynb")))
    assert seen.faults == []
    assert seen.n_questions >= 5
    printed = page.evaluate(PRINTED)
    assert f"[{id}] right" in printed
    assert f"[{id}] what follows runs with your answer" in printed
    assert int(page.evaluate(lab.RUN_A_CELL, "print(len(calls))")) >= least
