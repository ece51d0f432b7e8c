"""What `make bench` wrote: every row is there, and the page and the picture say what was found."""

import ast
import json
import math
import re

import pytest
import torch

from benchmarks import bench, large_run, page, quality, speedrun
from genlab.zoo import find
from genlab_course.speedrun import FORMER, RECORD

RESULTS = json.loads((bench.HERE / "results.json").read_text(encoding="utf-8"))


def test_every_row_has_a_result_and_every_result_a_row():
    assert [r["name"] for r in RESULTS] == [row.name for row in bench.ROWS]
    assert [r["aim"] for r in RESULTS] == [row.aim for row in bench.ROWS]


def test_a_result_says_what_it_compares_and_under_which_conditions():
    wanted = {"name", "ours", "peer", "unit", "ratio", "aim", "versions", "threads", "machine"}
    assert {r["name"]: wanted - set(r) for r in RESULTS if wanted - set(r)} == {}
    ratios = {r["name"]: r["ours"] / r["peer"] for r in RESULTS}
    stated = {r["name"]: r["ratio"] for r in RESULTS}
    assert stated == pytest.approx(ratios, abs=1e-2)  # three digits are stored
    assert [r["name"] for r in RESULTS if "torch" not in r["versions"] or r["turns"] < 3] == []


def test_the_table_and_the_picture_are_those_of_the_results():
    page = (bench.HERE / "README.md").read_text(encoding="utf-8")
    written = f"{bench.table(RESULTS)}\n\n{bench.conditions(RESULTS)}"
    assert bench.between_marks(page, written) == page
    drawn = (bench.HERE / "results.svg").read_text(encoding="utf-8")
    labels = set(re.findall(r"<!-- (.+?) -->", drawn))
    assert {r["name"] for r in RESULTS} | {f"{r['ratio']:.2f}" for r in RESULTS} <= labels


def test_the_table_of_quality_is_that_of_its_results():
    page, found = (bench.HERE / "README.md").read_text(encoding="utf-8"), quality.load()
    assert bench.between_marks(page, quality.summary(found), "quality") == page


def test_runs_of_quality_have_equal_time():
    found = quality.load()
    assert {trial["rate"] for trial in found["grid"]} <= {*quality.RATES}
    for run in found["runs"]:
        assert run["who"] in quality.WHO
        assert run["seconds"] == quality.SECONDS
        assert run["who"] != "peer" or run["rate"] == quality.best_rate(found)
        assert run["frechet_b"] > 0
    assert len({run["floor_b"] for run in found["runs"]}) == 1  # one evaluator, the same images


def test_the_networks_of_quality_have_equal_size():
    pytest.importorskip("diffusers")
    sizes = quality.parameters()
    assert sizes["peer"] == pytest.approx(sizes["ours"], rel=0.05)


def test_the_ideas_of_the_speed_run_lead_from_the_former_recipe_to_the_record():
    recipes = dict(speedrun.recipes())
    assert recipes["former"] == FORMER
    assert [*recipes.values()][-1] == RECORD
    row = find("mnist16_diffusion")  # its recipe is the record's, but that it drops labels
    same = {"lr", "average", "p_mean"}
    assert {key: row.settings[key] for key in same} == {key: RECORD._asdict()[key] for key in same}


def test_the_shipped_record_has_every_idea_in_its_order_with_the_same_seeds_and_time():
    rows, names = quality.load(speedrun.RESULTS)["steps"], [name for name, *_ in speedrun.IDEAS]
    assert [*dict.fromkeys(r["name"] for r in rows)] == names
    for name in names:
        runs = [r for r in rows if r["name"] == name]
        assert [r["seed"] for r in runs] == [*speedrun.OF_STEPS]
        assert {r["seconds"] for r in runs} == {speedrun.TRIAL}


def test_the_control_of_the_speed_run_differs_from_the_row_muon_in_the_optimiser_alone():
    row, control = dict(speedrun.recipes())["muon"], dict(speedrun.controls())["control"]
    assert control == row._replace(muon=False)
    assert control.lr == 0.005
    rows = [r for r in quality.load(speedrun.RESULTS)["controls"] if r["name"] == "control"]
    assert [(r["seed"], r["steps"]) for r in rows] == [(0, speedrun.N_STEPS), (1, speedrun.N_STEPS)]
    muon = [r["steps"] for r in quality.load(speedrun.RESULTS)["steps"] if r["name"] == "muon"]
    assert min(muon) <= speedrun.N_STEPS <= max(muon)


def test_the_laboratory_of_the_speed_run_has_ten_seeds_of_every_training_at_the_best_rate():
    runs = quality.load(speedrun.RESULTS)["laboratory"]
    kept = [{k: v for k, v in r.items() if k != "frechet_a"} for r in runs]
    wanted = [*speedrun.trials(), *speedrun.rival_trials()]
    assert sorted(kept, key=str) == sorted(wanted, key=str)
    for name, best in speedrun.BEST.items():
        tuned = {
            r["rate"]: r["frechet_a"]
            for r in runs
            if (r["optimizer"], r["p_mean"], r["seed"]) == (name, -1.2, 0)
        }
        assert tuned[best] == pytest.approx(min(tuned.values()), rel=0.01)  # Muon's two best tie


def test_the_rivals_of_muon_do_what_their_names_say():
    g, m = torch.randn(2, 8, 4, generator=torch.Generator().manual_seed(0)).unbind()
    ahead = 0.95 * (0.95 * m + 0.05 * g) + 0.05 * g
    equal, signs = speedrun.equal_lengths(g, m)[0], speedrun.signs(g, m)[0]
    for step in (equal, signs):
        assert step.square().mean().sqrt().item() == pytest.approx(0.2, rel=1e-4)
        assert torch.equal(step.sign(), ahead.sign())
    assert torch.allclose(equal / ahead, (equal / ahead)[0, 0])
    assert signs.abs().unique().numel() == 1
    assert torch.equal(speedrun.no_average(g, m)[0], speedrun.no_average(g, 5 * m)[0])
    n = {"muon": lambda net, rule: rule, "adamw": None}
    rules = {"equal lengths": "equal_lengths", "signs": "signs", "Muon, no average": "no_average"}
    for name, rule in rules.items():
        made, rate = speedrun.optimizers_of(n, {"optimizer": name, "rate": 0.01})
        assert (made(None).__name__, rate) == (rule, 0.01)


def test_two_rates_move_the_hidden_matrices_by_their_own():
    net = torch.nn.Module()
    net.blocks, net.out = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    made, peak = speedrun.optimizers_of(
        {"muon": None, "adamw": None}, {"optimizer": "AdamW, two rates", "rate": 0.01}
    )
    old = [p.clone() for p in net.parameters()]
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    for optimizer in made(net):
        optimizer.param_groups[0]["lr"] = peak
        optimizer.step()
    moved = [(a - p).mean().item() for a, p in zip(old, net.parameters(), strict=True)]
    assert moved == pytest.approx([0.01, 0.04, 0.04, 0.04], rel=1e-3)


def test_the_laboratory_is_trained_by_the_cells_of_the_notebook():
    torch.set_default_dtype(torch.float32)
    names = speedrun.of_notebook()
    net = names["train"](0, names["muon"], 0.04, n_steps=2)
    assert tuple(net.sample(3, cond=torch.arange(3)).shape) == (3, 256)
    assert not {"fast", "slow"} & set(names), "nothing was trained"


def test_mean_and_standard_error():
    assert quality.mean_and_error([1.0, 2.0, 3.0]) == pytest.approx((2.0, 3**-0.5))
    assert math.isnan(quality.mean_and_error([1.0])[1])
    assert speedrun.goal(0.1, 1.1) == pytest.approx(0.5)


def test_the_record_of_the_large_run_holds_each_run_that_its_notebook_reads():
    found = json.loads(large_run.RECORD.read_text(encoding="utf-8"))
    kept = ("kind", "width", "seed", "rate", "characters", "unique")
    keys = [{k: run[k] for k in kept if k in run} for run in found["runs"]]
    wanted = [{"kind": k, "width": w, "seed": s} | more for k, w, s, more in large_run.wanted()]
    assert sorted(keys, key=str) == sorted(wanted, key=str)
    assert {"python", "torch"} == set(found["versions"])
    assert all(1 < run["loss"] < 4 for run in found["runs"])


def test_runs_of_the_record_are_trained_by_the_cells_of_the_notebook():
    names = large_run.of_notebook()
    net, loss, of_batches = names["train"](16, 0.05, steps=10)
    embedding, *matrices = (p.numel() for p in net.parameters() if p.ndim == 2)
    assert (embedding, sum(matrices)) == (24 * 16, large_run.plan(16)[0])
    assert len(of_batches) == 10
    assert 3 < loss < math.log(96) + 1  # ten steps: little more than how often each letter comes
    text = large_run.some_of(2000, 0)
    assert len(text) == 2000
    assert text != large_run.some_of(2000, 1)
    assert len(names["encode"](text)) == 2000


def definitions(path):
    """Names of the functions and classes at the top of a file."""
    return {getattr(part, "name", None) for part in ast.parse(path.read_text("utf-8")).body}


def wanted_of_pages(script):
    """(page, name) of all that a script's calls of `define` take; names may be a constant."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    assigned = [n for n in tree.body if isinstance(n, ast.Assign)]
    constants = {ast.unparse(n.targets[0]): n.value for n in assigned}
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    for call in (c for c in calls if ast.unparse(c.func) == "define"):
        slug, names = call.args[:2]
        for name in ast.literal_eval(constants.get(ast.unparse(names), names)):
            yield slug.value, name


def test_what_a_script_takes_from_a_page_is_defined_there():
    scripts = sorted(bench.HERE.glob("*.py"))
    wanted = [(s.name, *row) for s in scripts for row in wanted_of_pages(s)]
    assert len(wanted) > 30
    defined = {slug: definitions(page.SOURCES / f"{slug}.py") for _, slug, _ in wanted}
    assert [row for row in wanted if row[2] not in defined[row[1]]] == []


def test_a_function_that_a_page_lost_is_named():
    with pytest.raises(ValueError, match=r"defines no gone; was it renamed\?"):
        page.define("07_gans_minimax", ("bare", "gone"), {})
