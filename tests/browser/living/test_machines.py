"""The opening stage: five machines held to torch, and the stage itself as a visitor has it."""

import json
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from genlab.oracles import GaussianMixture
from genlab_course.widgets import living
from tests.browser.living import replay
from tests.browser.living.golden import machines as golden

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROWS = 9
LOAD = """text => {
    const url = URL.createObjectURL(new Blob([text], {type: 'text/javascript'}));
    return import(url).then(module => { globalThis.M = module.default; });
}"""
NUMBERS = """(kind, rows) => {
    const normal = M.normals(3), machine = new M.KINDS[kind](normal);
    for (const {theta} of machine.nets) {
        for (let i = 0; i < theta.length; i++) theta[i] += 0.05 * normal();
    }
    const x = Float64Array.from({length: 2 * rows}, normal), noise = machine.noise(normal, rows);
    const plain = list => list.map(a => Array.from(a));
    const all = what => plain(machine.nets.map(net => net[what]));
    const start = all('theta'), losses = {}, grads = {};
    for (const [, loss] of machine.optimisers) {
        machine.nets.forEach(net => net.clear());
        losses[loss] = machine[loss](x, rows, noise);
        grads[loss] = all('grad');
    }
    for (let k = 0; k < 3; k++) for (const [optimiser, loss] of machine.optimisers) {
        optimiser.nets.forEach(net => net.clear());
        machine[loss](x, rows, noise);
        optimiser.go(1e-3);
    }
    const z = Float64Array.from({length: 4 * rows}, normal);
    return JSON.stringify({x: Array.from(x), noise: plain(noise), start, losses, grads,
        after: all('theta'), z: Array.from(z), sample: Array.from(machine.sample(z, rows))});
}"""


def module(mistake=None):
    """machines.js as a module of its own, perhaps with a mistake planted in it."""
    text = (living.FOLDER / "machines.js").read_text(encoding="utf-8")
    if mistake:
        assert text.count(mistake["old"]) == 1, mistake
        text = text.replace(mistake["old"], mistake["new"])
    stage = (living.FOLDER / "stage.js").read_text(encoding="utf-8")
    (normals,) = re.findall(r"export (function normals.*?\n}\n)", stage, re.DOTALL)
    made = "export default { ...machines(normals), normals };"
    return normals + text.replace("export function machines", "function machines") + made


@pytest.fixture(scope="module")
def page(browser):
    """A blank page."""
    page = browser.new_page()
    page.set_content("<!doctype html>")
    yield page
    page.close()


def far(one, other):
    """The largest difference, against the largest number or 1."""
    one, other = (torch.as_tensor(v, dtype=torch.float64) for v in (one, other))
    return float((one - other).abs().max() / other.abs().max().clamp(min=1))


def furthest(page, kind):
    """How far a machine's losses, gradients, three steps of Adam and samples are from torch's."""
    found = json.loads(page.evaluate(f"([kind, rows]) => ({NUMBERS})(kind, rows)", [kind, ROWS]))
    x = torch.tensor(found["x"], dtype=torch.float64).view(-1, 2)
    noise = [torch.tensor(v, dtype=torch.float64) for v in found["noise"]]
    noise = [v if len(v) == ROWS else v.view(-1, 2) for v in noise]
    nets, apart = golden.networks(kind), []
    parts = {"loss": (golden.LOSSES[kind], range(len(nets)))}
    if kind == "gan":
        parts = {"critic_loss": (golden.gan_critic, [0]), "loss": (golden.gan, [1])}
    for name, (loss, which) in parts.items():
        golden.load(nets, found["start"])
        for net in nets:
            net.zero_grad()
        value = loss(nets, x, noise)
        value.backward()
        apart.append(far(found["losses"][name], value.detach()))
        apart += [far(found["grads"][name][j], golden.flat(nets[j], "grad")) for j in which]
    golden.load(nets, found["start"])
    betas = golden.BETAS.get(kind, (0.9, 0.99))
    adams = {name: torch.optim.Adam([p for j in which for p in nets[j].parameters()], 1e-3, betas)
             for name, (_, which) in parts.items()}  # fmt: skip
    for _ in range(3):
        for name, (loss, _) in parts.items():
            adams[name].zero_grad()
            loss(nets, x, noise).backward()
            adams[name].step()
    apart += [far(found["after"][j], golden.flat(net, "theta")) for j, net in enumerate(nets)]
    z = torch.tensor(found["z"], dtype=torch.float64)
    with torch.no_grad():
        apart.append(far(found["sample"], sampled(kind, nets, z).flatten()))
    return max(apart)


def sampled(kind, nets, z):
    """What a machine draws from normal numbers, by torch."""
    first, more = z[: 2 * ROWS].view(-1, 2), z[2 * ROWS :].view(-1, 2)
    if kind == "vae":
        return nets[1](first) + first + nets[2][0].exp() * more
    if kind == "gan":
        return golden.generated(nets[1], first)
    if kind == "flow":  # the root of f(x) = z, found coupling by coupling
        columns = [first[:, 0], first[:, 1]]
        for k in reversed(range(golden.COUPLINGS)):
            told = nets[k](columns[k % 2][:, None])
            s = golden.REACH * torch.tanh(told[:, 0] / golden.REACH)
            columns[1 - k % 2] = (columns[1 - k % 2] - told[:, 1]) * (-s).exp()
        x = torch.stack(columns, 1)
        torch.testing.assert_close(golden.flow_forward(nets, x)[0], first)
        return x
    if kind == "autoregressive":
        return quantiles(nets[0], torch.special.ndtr(first))
    return denoised(nets[0], first)


def quantiles(net, u):
    """Where the two distribution functions reach u, bins being flat."""
    low, high = golden.EDGES[:2]
    width = (high - low) / golden.SIDE

    def reach(tokens, u):
        hot = torch.nn.functional.one_hot(tokens, golden.SIDE + 1).double()
        p = net(hot).softmax(1)
        total = p.cumsum(1)
        k = torch.searchsorted(total, u[:, None].contiguous()).clamp(max=golden.SIDE - 1)
        before = total.gather(1, k) - p.gather(1, k)
        return low + width * (k + (u[:, None] - before) / p.gather(1, k))[:, 0]

    x = reach(torch.full((len(u),), golden.SIDE), u[:, 0])
    return torch.stack([x, reach(golden.bins(x), u[:, 1])], 1)


def denoised(net, x, steps=100):
    """DDIM's deterministic steps along the quarter circle."""
    angles = torch.linspace(0, torch.pi / 2, steps + 1, dtype=torch.float64)
    for now, then in zip(angles[1:].flip(0), angles[:-1].flip(0), strict=True):
        clock = [f(w * now).expand(len(x), 1) for w in (1, 2, 4) for f in (torch.cos, torch.sin)]
        v = net(torch.cat([x, *clock], 1))
        clean, noise = now.cos() * x - now.sin() * v, now.sin() * x + now.cos() * v
        x = then.cos() * clean + then.sin() * noise
    return x


@pytest.mark.parametrize("kind", golden.KINDS)
def test_losses_gradients_steps_and_samples_are_torchs(kind, page):
    page.evaluate(LOAD, module())
    assert furthest(page, kind) < 1e-5


TRAINED = """([kind, seed, steps, last]) => {
    const ring = Float64Array.from({length: 800}, (_, i) => {
        const angle = Math.PI * (i >> 1) / 200;
        return 0.62 * (i % 2 ? Math.sin(angle) : Math.cos(angle)); });
    const training = new M.Training(kind, ring, {seed, share: steps / M.RECIPES[kind].steps});
    const losses = Array.from({length: training.steps}, () => training.go());
    return losses.slice(-last).reduce((a, b) => a + b) / last;
}"""


@pytest.mark.parametrize("kind", golden.KINDS)
def test_after_200_steps_its_loss_is_one_that_torch_comes_to(kind, page):
    page.evaluate(LOAD, module())
    mean, spread = json.loads(golden.STORED.read_text(encoding="utf-8"))[kind].values()
    found = [page.evaluate(TRAINED, [kind, s, golden.STEPS, golden.LAST]) for s in (1, 2)]
    assert np.mean(found) == pytest.approx(mean, abs=5 * spread)  # of one run of torch's


MEASURED = """() => {
    const line = Float64Array.from({length: 200}, (_, i) => i % 2 ? 0 : -0.5 + i / 198);
    const left = Float64Array.from({length: 100}, (_, i) => i % 2 ? 0.01 : -0.5 + i / 198);
    const ring = Float64Array.from({length: 800}, (_, i) => {
        const angle = Math.PI * (i >> 1) / 200;
        return 0.5 * (i % 2 ? Math.sin(angle) : Math.cos(angle)); });
    return {...M.faults([...left, 0.9, 0.9, 0.1, 0.2], line), best: M.entropy(ring, M.normals(5))};
}"""


def test_what_is_wrong_and_what_is_best_are_measured(page):
    page.evaluate(LOAD, module())
    found = page.evaluate(MEASURED)
    assert found["astray"] == pytest.approx(2 / 52)
    reach = 3.2 * 0.025  # of the leftmost half, past its end
    assert found["lost"] == pytest.approx(0.5 - reach, abs=0.02)
    # Ink around a line: the log of its length, and a normal's entropy across it.
    best = math.log(2 * math.pi * 0.5) + 0.5 * math.log(2 * math.pi * math.e * 0.025**2)
    assert found["best"] == pytest.approx(best, abs=0.05)


VELOCITY = """() => {
    const point = new Float64Array(800), pen = M.PEN; // 400 times the middle: a normal
    const ring = Float64Array.from({length: 800}, (_, i) => {
        const angle = Math.PI * (i >> 1) / 200;
        return 0.5 * (i % 2 ? Math.sin(angle) : Math.cos(angle)); });
    const unit = Math.sqrt(0.125 + pen * pen);
    return [M.leastVelocity(point, [0, 0], pen, M.normals(5), 4000),
        M.leastVelocity(ring, [0, 0], unit, M.normals(5), 4000)];
}"""


def test_the_best_velocity_is_measured(page):
    page.evaluate(LOAD, module())
    normal, ring = page.evaluate(VELOCITY)
    # Of a standard normal the mixture is independent of the velocity, whose variance is 1.
    assert normal == pytest.approx(1, abs=0.05)
    pen, generator = 0.025, torch.Generator().manual_seed(1)
    angle = torch.arange(400).double() * math.pi / 200
    unit = math.sqrt(0.125 + pen**2)
    points = 0.5 / unit * torch.stack([angle.cos(), angle.sin()], 1)
    law = GaussianMixture(torch.full((400,), 1 / 400.0).double(), points,
                          torch.full((400,), pen / unit).double())  # fmt: skip
    x, eps = (
        law.sample(4000, generator=generator),
        torch.randn(4000, 2, generator=generator, dtype=torch.float64),
    )
    t = ((torch.arange(4000) + 0.5) / 4000 * math.pi / 2).double()[:, None]
    mixed = t.cos() * x + t.sin() * eps
    guess = law.denoiser(mixed, t.cos()[:, 0], t.sin()[:, 0])
    gap = (t.cos() * mixed - guess) / t.sin() - (t.cos() * eps - t.sin() * x)
    assert ring == pytest.approx((gap**2).mean().item(), abs=0.05)


MISTAKES = [m for m in replay.mistakes("machines") if "kind" in m]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[m["mistake"] for m in MISTAKES])
def test_a_planted_mistake_is_told_apart(mistake, page):
    page.evaluate(LOAD, module(mistake))
    assert not furthest(page, mistake["kind"]) < 1e-5


HEAD = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<body style="margin: 0">"""
STATE = "document.querySelector('.genlab-stage').dataset.state"
SAID = "() => [...document.querySelectorAll('.machine')].map(s => s.innerText)"
LIKELIHOOD = ["exact", "exact", "bound", "none", "bound"]
CALLS = [2, 1, 1, 1, 100]


@pytest.fixture
def stage(browser, tmp_path):
    """Opens the stage as a file, with a fiftieth of the training; fails if the page did."""
    troubles, contexts = [], []

    def show(script="", **context):
        size = {"viewport": {"width": 1400, "height": 700}}
        contexts.append(browser.new_context(**(size | context)))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.add_init_script(script)
        path = tmp_path / "stage.html"
        quick = living.page(living.STAGE, "stage", settings={"share": 0.02, "seconds": 0.1})
        path.write_text(HEAD + quick, encoding="utf-8")
        page.goto(path.as_uri())
        page.wait_for_selector(".genlab-stage")
        return page

    yield show
    for context in contexts:
        context.close()
    assert troubles == []


def done(page):
    """Wait until all five have learned."""
    page.wait_for_function(f"() => {STATE} === 'done'", timeout=120_000)


def facts(page):
    """What stands under each machine: likelihood and calls."""
    found = [text.splitlines() for text in page.evaluate(SAID)]
    words = [text[text.index("likelihood") + 1] for text in found]
    return words, [int(text[text.index("calls per sample") + 1]) for text in found]


def test_a_ring_draws_itself_and_a_shape_that_is_drawn_is_learned(stage, report_row):
    page = stage()
    done(page)
    assert facts(page) == (LIKELIHOOD, CALLS)
    notes = page.locator(".notes").inner_text()
    for said in ("calls per sample", "blur, bridges", "modes lost", "best", "at rest"):
        assert f"{said}: " in notes  # each word of the tables, in sight
        assert any(said in text for text in page.evaluate(SAID)), said
    assert "velocity error, best 0." in page.locator("[data-kind=diffusion]").inner_text()
    frame = page.evaluate("document.querySelector('.genlab-stage').dataset.frame")
    report_row(f"opening stage: {frame} ms of script a frame")
    before = page.evaluate(SAID)
    box = page.locator("canvas.yours").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 220, box["y"] + 200, steps=8)
    page.mouse.up()
    assert page.evaluate(STATE) == "training"
    assert re.search(r"about \d+ s", page.locator(".hint").inner_text())
    done(page)
    assert page.evaluate(SAID) != before
    with page.expect_download(timeout=120_000) as kept:
        page.get_by_role("button", name="Keep this film").click()
    with Image.open(kept.value.path()) as film:
        assert film.format == "GIF"
        assert film.info["loop"] == 0
        assert 5000 < sum(frame.info["duration"] for frame in ImageSequence.Iterator(film)) < 8000
        last = film.convert("RGB").getcolors(1 << 16)
        assert {(0, 114, 178), (213, 94, 0), (0, 158, 115)} <= {colour for _, colour in last}
    page.get_by_role("button", name="two moons").press("Enter")
    page.wait_for_function(f"() => {STATE} === 'training'")
    done(page)


def test_a_finger_draws_and_the_page_stays_and_initials_are_typed(stage):
    phone = stage(viewport={"width": 400, "height": 500}, has_touch=True, is_mobile=True)
    touch, box = phone.context.new_cdp_session(phone), phone.locator("canvas.yours").bounding_box()
    for k in range(8):
        at = {"x": box["x"] + 60 + 8 * k, "y": box["y"] + 150 - 12 * k}
        kind = "touchMove" if k else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
    assert phone.evaluate(STATE) == "drawing"
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.wait_for_function(f"() => {STATE} !== 'drawing'")
    assert phone.evaluate("scrollY") == 0
    assert phone.evaluate("document.documentElement.scrollWidth") == 400
    phone.get_by_placeholder("initials").fill("gl")
    phone.wait_for_function(f"() => {STATE} === 'drawing'")
    done(phone)


def test_for_who_wants_no_motion_and_where_no_worker_runs_a_recorded_run_stands_in(stage):
    for page in (stage(reduced_motion="reduce"), stage("delete globalThis.Worker")):
        page.wait_for_function(f"() => {STATE} === 'recorded'")
        assert facts(page) == (LIKELIHOOD, CALLS)
        ink = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)"
        page.wait_for_timeout(100)
        assert all(canvas.evaluate(ink) for canvas in page.locator("canvas").all())
