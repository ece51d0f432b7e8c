"""What a change can reach, followed through imports, names of models and files of data.

    python tests/changed.py medians             # how far notebooks and files depend on each other
    python tests/changed.py tests main          # the tests that the change since `main` can reach
    python tests/changed.py notebooks main      # and the notebooks

A notebook or test depends on the modules that it imports, on what these import, on the recipes and
weights of the models that it names, on the data files that any of them names, and on itself. What
cannot be followed (configuration, helpers of tests, a file that nobody names) reaches everything.
A test that reads the repository or starts a process is always reached.
"""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("genlab", "genlab_course")
TABLES = {"genlab.zoo": "MODULES", "genlab_course.widgets": "FIGURES"}  # others: OFFERS
READ = (  # what only tests that read the repository look at
    *("docs/", "benchmarks/", ".github/", ".ci/", "tests/mutants/", "tests/notebooks/mistakes/"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff"),
)
READS = re.compile(
    r"__file__|subprocess|import_module|sys\.executable|find_spec|getsource|\bprocesses\b|Path\(\"|"
    r"parents\[|rglob|\.glob\("
)


def python(path: Path) -> str:
    """The dotted name of a file of a package: genlab/score/__init__.py is genlab.score."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    """Every module of the packages, by its dotted name."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {python(path.relative_to(ROOT)): path.relative_to(ROOT) for path in files}


@cache
def data() -> tuple[Path, ...]:
    """Every other file of the packages that git knows, or that is new."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES)
    return tuple(path for path in map(Path, listed) if path.suffix != ".py")


def git(*arguments: str) -> list[str]:
    """The lines that git answers."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax of a file below the root, without magics and what only type checkers read."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.parts[0] == "notebooks":
        text = re.sub(r"^( *)[%!].*$", r"\1pass", text, flags=re.MULTILINE)
    parsed = ast.parse(text)
    parsed.body = [node for node in parsed.body if not for_types(node)]
    return parsed


def for_types(node: ast.stmt) -> bool:
    """Whether a statement is `if TYPE_CHECKING: ...`."""
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


@cache
def offers(package: str) -> dict[str, str]:
    """For a package that imports when asked: name -> the module that has it."""
    if package not in modules():
        return {}
    wanted = TABLES.get(package, "OFFERS")
    for node in tree(modules()[package]).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == wanted:
            table = eval(compile(ast.Expression(node.value), wanted, "eval"))
            break
    else:
        return {}
    flat = [(a, b) for a, b in table.items() if isinstance(b, str)]
    flat += [
        (name, a) for a, names in table.items() if not isinstance(names, str) for name in names
    ]
    return {
        a: b if b.startswith("genlab") and b in modules() else f"{package}.{b}" for a, b in flat
    }


def with_parents(module: str) -> set[str]:
    """A module and the packages around it, whose `__init__` runs before it."""
    parts = module.split(".")
    return {".".join(parts[:k]) for k in range(1, len(parts) + 1)} & modules().keys()


@cache
def named(path: Path) -> frozenset[str]:
    """Modules and data files that a file names itself, as dotted names and as paths."""
    found, bound = set[str](), dict[str, str]()  # bound: a name in this file -> its package
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found |= with_parents(alias.name)
                bound[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= with_parents(node.module)
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found |= with_parents(whole) if whole in modules() else behind(node.module, alias)
                bound[alias.asname or alias.name] = whole
    bound = {name: package for name, package in bound.items() if offers(package)}
    found |= attributes(path, bound)
    if any(name.startswith("genlab.zoo") for name in found):
        found |= models(path)
    return frozenset(found | data_of(path))


def behind(package: str, alias: ast.alias) -> set[str]:
    """The module from which a package that imports when asked takes a name; `*` takes all."""
    table = offers(package)
    wanted = table.values() if alias.name == "*" else [table.get(alias.name, "")]
    return {m for module in wanted for m in with_parents(module)}


def attributes(path: Path, bound: dict[str, str]) -> set[str]:
    """Modules behind `package.name`; all that the package offers where it stands alone."""
    found, used = set[str](), set[ast.expr]()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            package = bound.get(node.value.id)
            if package and isinstance(node.value.ctx, ast.Load):
                used.add(node.value)
                found |= with_parents(offers(package).get(node.attr, ""))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Name) and node.id in bound and node not in used:
            found |= {m for name in offers(bound[node.id]).values() for m in with_parents(name)}
    return found


def models(path: Path) -> set[str]:
    """Recipes and weights of the models whose names stand in a file; all if a name is computed."""
    table, texts, patterns, computed = offers("genlab.zoo"), strings(path), [], False
    for node in ast.walk(tree(path)):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        imported = [a.name for a in node.names] if isinstance(node, ast.ImportFrom) else []
        if called == "zoo.recipes" or "recipes" in imported:
            return models_of(table)
        if called in ("load_model", "find", "zoo.load_model", "zoo.find") and node.args:
            if isinstance(node.args[0], ast.JoinedStr):
                patterns.append(pattern(node.args[0]))
            computed |= not isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    here = {name for name in table if name in texts or any(p.fullmatch(name) for p in patterns)}
    here = here or (set(table) if computed else set())  # a name in a variable stands in a list here
    return models_of(here)


def models_of(names: Iterable[str]) -> set[str]:
    """The recipes and weights of these models."""
    found = {m for name in names for m in with_parents(offers("genlab.zoo")[name])}
    return found | {f"genlab/zoo/weights/{name}{end}" for name in names for end in ENDS}


ENDS = (".safetensors", ".json")


def pattern(text: ast.JoinedStr) -> re.Pattern[str]:
    """What an f-string can be."""
    parts = (re.escape(v.value) if isinstance(v, ast.Constant) else ".*" for v in text.values)
    return re.compile("".join(parts))


@cache
def strings(path: Path) -> frozenset[str]:
    """The constant texts of a file, docstrings among them."""
    nodes = ast.walk(tree(path))
    return frozenset(
        n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)
    )


@cache
def owners() -> dict[str, frozenset[Path]]:
    """For each part of a data file's path: the files of the packages that name it."""
    found: dict[str, set[Path]] = {}
    for path in modules().values():
        for text in strings(path):
            for part in text.split("/"):
                found.setdefault(part, set()).add(path)
    return {part: frozenset(paths) for part, paths in found.items()}


@cache
def readers(file: Path) -> frozenset[Path]:
    """Files of the packages that read a data file: its own name decides, else its folder's."""
    beside = file.parent / "__init__.py"
    if file.parts[1] == "quizzes" or "weights" in file.parts:
        return frozenset()  # by the notebook's name, or the model's: `notebooks`, `models`
    if file.name in owners():
        return owners()[file.name]
    if beside in modules().values() and len(file.parts) > 2:
        return frozenset({beside})
    folders = (part for part in reversed(file.parts[1:-1]) if part in owners() and part != "data")
    return next((owners()[folder] for folder in folders), frozenset())


def data_of(path: Path) -> set[str]:
    """The data files that a file of a package reads, or that a notebook names."""
    said = {part for text in strings(path) for part in text.split("/")}
    said |= {name.replace(".safetensors", ".json") for name in said}  # weights have a card
    return {str(f) for f in data() if path in readers(f) or f.name in said}


@cache
def reach(path: Path) -> frozenset[str]:
    """All modules and data files that a file depends on, itself among them."""
    found, left = {str(path)}, [*named(path)]
    while left:
        item = left.pop()
        if item not in found:
            found.add(item)
            left += named(modules()[item]) if item in modules() else ()
    return frozenset(str(modules().get(item, item)) for item in found)


@cache
def notebooks() -> dict[Path, frozenset[str]]:
    """Every notebook, by its text, and what it depends on; exercises and quiz are found by name."""
    labs = offers_of_labs()
    found = {}
    for text in sorted((ROOT / "notebooks").rglob("src/*.py")):
        path, own = text.relative_to(ROOT), set(reach(text.relative_to(ROOT)))
        stems = [f"lesson_{path.stem[:2]}", f"system_{path.stem}", f"frontier_{path.stem}"]
        first = {
            part.partition(".")[0] for part in strings(path) if re.fullmatch(r"\w+\.[\w-]+", part)
        }
        stems += [f"lesson_{k}" for k in first if k.isdigit()]
        stems += [labs.get(k, f"system_{k}") for k in first if not k.isdigit()]
        for stem in stems:
            for file in (f"genlab_course/exercises/{stem}.py", f"genlab_course/quizzes/{stem}.md"):
                if (ROOT / file).exists():
                    own |= reach(Path(file)) if file.endswith(".py") else {file}
        found[path] = frozenset(own)
    return found


def offers_of_labs() -> dict[str, str]:
    """The shorter words by which exercises of labs begin: `genlab_course.grading.LABS`."""
    for node in tree(Path("genlab_course/grading.py")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LABS":
            return dict(ast.literal_eval(node.value))
    raise ValueError("genlab_course/grading.py has no LABS")


def ipynb(text: Path) -> Path:
    """The notebook of a text."""
    return text.parents[1] / f"{text.stem}.ipynb"


@cache
def tests() -> dict[Path, frozenset[str] | None]:
    """Every file with tests, doctests among them, and what it depends on; None: on everything."""
    found: dict[Path, frozenset[str] | None] = {path: reach(path) for path in modules().values()}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        path = file.relative_to(ROOT)
        reads = READS.search(file.read_text(encoding="utf-8"))
        found[path] = None if reads or path.parts[1] in ("repository", "notebooks") else reach(path)
    return found


def reached(changed: set[str]) -> tuple[list[Path], list[Path]]:
    """The tests and the notebooks that a change of these files can reach."""
    known = {str(f) for f in (*modules().values(), *data())}
    known |= {str(p) for text in notebooks() for p in (text, ipynb(text))}
    own = {str(path) for path in tests()}
    alone = own | {f for f in changed if f.startswith(READ) and not f.endswith("run.py")}
    depended = set().union(*notebooks().values(), *(d for d in tests().values() if d))
    everything = [f for f in changed if f not in alone and (f not in known or stray(f, depended))]
    if everything:
        return sorted(tests()), sorted(map(ipynb, notebooks()))
    books = [ipynb(t) for t, d in notebooks().items() if d & changed or str(ipynb(t)) in changed]
    files = [p for p, d in tests().items() if changed and (d is None or d & changed)]
    return sorted(files), sorted(books)


def stray(file: str, depended: set[str]) -> bool:
    """Whether a file of the packages is one that nothing is seen to depend on."""
    return file.startswith(PACKAGES) and file not in depended


def since(base: str) -> set[str]:
    """The files that differ from where this branch left `base`, and those that are new."""
    (start,) = git("merge-base", base, "HEAD")
    return {*git("diff", "--name-only", start), *git("ls-files", "--others", "--exclude-standard")}


def medians() -> tuple[float, float, int, int]:
    """Of genlab's modules: how many a lesson, lab or frontier notebook depends on, and of how many;
    of these notebooks: how many a module reaches, and of how many."""
    ours = [str(path) for name, path in modules().items() if name.startswith("genlab.")]
    ours = [path for path in ours if path.split("/")[0] == "genlab"]
    books = {p: d for p, d in notebooks().items() if "solutions" not in p.parts}
    far = [sum(path in d for path in ours) for d in books.values()]
    near = [sum(path in d for d in books.values()) for path in ours]
    return statistics.median(far), statistics.median(near), len(ours), len(books)


def main(what: str = "medians", base: str = "main") -> None:
    if what == "medians":
        far, near, n_modules, n_books = medians()
        print(f"a median notebook depends on {far:g} of {n_modules} modules of genlab")
        print(f"a median module of genlab reaches {near:g} of {n_books} notebooks")
        return
    files, books = reached(since(base))
    print("\n".join(map(str, files if what == "tests" else books)))


if __name__ == "__main__":
    main(*sys.argv[1:])
