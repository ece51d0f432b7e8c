"""The library makes no noise and reads no number in a way that works on the CPU alone."""

import ast
from pathlib import Path

import genlab

ROOT = Path(genlab.__file__).parent
ON_THE_CPU = {  # files whose noise has no device to go to, each with the reason
    "core/tensors.py": "defines the ways to draw",
    "data/simulators.py": "simulates data from a seed",
    "data/text.py": "writes sentences, as lists",
    "systems/text_diffusion.py": "captions for data that are loaded",
}


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def faults(source: str) -> list[str]:
    """Calls that fail off the CPU: `torch.rand(generator=...)`, `multinomial`, bare `.numpy()`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        keywords = {k.arg for k in node.keywords}
        drawn = called(node) in ("torch.rand", "torch.randn", "torch.multinomial")
        read = isinstance(node.func, ast.Attribute) and node.func.attr == "numpy"
        bare = drawn and "generator" in keywords and "device" not in keywords
        if bare or (read and not called(node).endswith(".cpu().numpy")):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


FILES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
FILES = {name: path for name, path in FILES.items() if not name.startswith("zoo/")}  # it measures


def test_noise_and_reading_know_of_devices() -> None:
    found = {name: faults(FILES[name].read_text()) for name in FILES if name not in ON_THE_CPU}
    assert len(found) > 80
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_rule_finds_each_of_the_three() -> None:
    assert len(faults("torch.rand(3, generator=g)\ntorch.multinomial(p, 1, generator=g)")) == 2
    assert len(faults("x.numpy()\nx.cpu().numpy()\ntorch.rand(3, device=d, generator=g)")) == 1
    assert set(ON_THE_CPU) <= set(FILES)
