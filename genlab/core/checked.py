"""Shapes and dtypes of a call, checked once, at the public API, from the annotations there.

`check_public(__name__)`, the last line of a module, wraps its public functions, constructors and
methods. Of the arguments of a call, those that jaxtyping annotates must agree: a named dimension
has one size, `*event` one run of sizes, over all of them. In a method of a model, `event_shape`
says what `*event` is (and `d`, of a single axis), `latent_shape` what `*latent` is. `{n}` means the
value of the argument n.

Only the outermost call is checked: what it calls, and a sampler that it returned, runs unchecked.
Shapes and dtypes are read, values never.
"""

import contextlib
import functools
import inspect
import re
import sys
import threading
import types
import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

_LOSSES = ("loss", "discriminator_loss", "generator_loss")  # of a batch, which has a mean
_ALL = {v for v in vars(torch).values() if isinstance(v, torch.dtype)}
_FLOAT = {v for v in _ALL if v.is_floating_point}
_INT = {torch.int8, torch.int16, torch.int32, torch.int64}
_REAL = _FLOAT | _INT | {v for v in _ALL if str(v).startswith("torch.uint")}
_KINDS = {"Float": _FLOAT, "Int": _INT, "Bool": {torch.bool}, "Real": _REAL, "Shaped": _ALL}
_DTYPES = {kind: frozenset(dtypes) for kind, dtypes in _KINDS.items()}
_EXPECTED = {
    "Float": "floating-point numbers: try {0}.float(), or to_unit({0}) for grey levels",
    "Int": "whole numbers, int64: try {0}.long()",
    "Bool": "true and false: try {0}.bool()",
    "Real": "numbers: try {0}.float()",
}


class _State(threading.local):
    inside = False  # of a call whose arguments have been checked


class _Dim(NamedTuple):
    name: str  # "" for a number
    more: int  # what is added to the size of that name: 1 for "t+1"


class _Spec(NamedTuple):
    """One annotation of a tensor: its dtypes, and its dimensions around at most one variadic."""

    kind: str
    dtypes: frozenset[torch.dtype]
    text: str
    dims: tuple[_Dim, ...]  # all but the variadic
    n_lead: int  # of them before it
    many: str  # "*event", or ""


class _Parameter(NamedTuple):
    name: str
    place: int  # among the positional arguments; a keyword stands beyond them
    specs: tuple[_Spec, ...]  # of which one must fit
    names: frozenset[str]  # in the dimensions of `specs`
    counts: bool  # an int, which a dimension `{name}` may mean


_Sizes = dict[str, Any]  # by name: an int, or a tuple for a variadic
_KNOWN = {"*event": "event_shape", "d": "event_shape", "*latent": "latent_shape"}  # to a model
_F = TypeVar("_F", bound=Callable[..., Any])
_state = _State()


def check_public(module: str) -> None:
    """Check the arguments of the public functions and classes that `module` defines."""
    names = vars(sys.modules[module])
    for name, value in list(names.items()):
        if name.startswith("_") or getattr(value, "__module__", None) != module:
            continue
        if inspect.isfunction(value):
            names[name] = checked(value)
        elif isinstance(value, type) and not getattr(value, "_is_protocol", False):
            _check_methods(value)


def _check_methods(cls: type) -> None:
    for name, value in list(vars(cls).items()):
        if name.startswith("_") and name not in ("__init__", "__call__"):
            continue
        if inspect.isfunction(value):
            setattr(cls, name, checked(value))
        elif isinstance(value, staticmethod | classmethod):
            setattr(cls, name, type(value)(checked(value.__func__)))


def checked(function: _F) -> _F:
    """Return `function` behind a check of its tensors; itself, if no annotation names one."""
    signature = inspect.signature(function)
    parameters = [_parameter(i, p) for i, p in enumerate(signature.parameters.values())]
    tensors = [p for p in parameters if p.specs]
    if not tensors and not _specs(signature.return_annotation):
        return function
    counts = [p for p in parameters if p.counts]
    named = {name for p in tensors for name in p.names if name in _KNOWN}
    if function.__name__ == "__init__" or not parameters or parameters[0].name != "self":
        named = set()

    trains = bool(tensors) and parameters[0].name == "self" and function.__name__ in _LOSSES

    @functools.wraps(function)
    def door(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or _state.inside:
            return function(*args, **kwargs)
        _state.inside = True
        try:
            sizes = _sizes_of_model(args[0], named) if named and args else {}
            for p in counts:
                sizes["{" + p.name + "}"] = _argument(p, args, kwargs)
            for p in tensors:
                x = _argument(p, args, kwargs)
                if isinstance(x, Tensor) and not _fits_one(p.specs, x, sizes):
                    others = {q: _argument(q, args, kwargs) for q in tensors[: tensors.index(p)]}
                    reason = _reason(p, others, args[0] if named and args else None)
                    told = _complaint(p.name, x, p.specs, sizes, reason)
                    raise ValueError(f"{function.__qualname__.removesuffix('.__init__')}: {told}")
            if trains and (x := _argument(tensors[0], args, kwargs)) is not None and not len(x):
                told = f"{tensors[0].name} is an empty batch, so its mean loss is undefined"
                raise ValueError(f"{function.__qualname__}: {told}")
            answer = function(*args, **kwargs)
        finally:
            _state.inside = False
        return _unchecked(answer) if isinstance(answer, Generator) else answer

    return door  # type: ignore[return-value]


def _unchecked(items: Generator[Any, Any, Any]) -> Iterator[Any]:
    """What a sampler yields; calls in its body are inside, those of its reader are not."""
    with contextlib.closing(items):
        while True:
            was, _state.inside = _state.inside, True
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                _state.inside = was
            yield item


# Annotations, read once


def _parameter(place: int, parameter: inspect.Parameter) -> _Parameter:
    stars = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    specs = () if stars else tuple(_specs(parameter.annotation))
    place = sys.maxsize if parameter.kind == parameter.KEYWORD_ONLY else place
    names = frozenset(word for spec in specs for word in spec.text.split())
    return _Parameter(parameter.name, place, specs, names, parameter.annotation is int)


def _specs(annotation: Any) -> list[_Spec]:
    """The tensors of an annotation; none where any tensor will do."""
    if hasattr(annotation, "dim_str"):
        return [_spec(annotation.dtype.__name__, annotation.dim_str)]
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return []
    parts = typing.get_args(annotation)
    return [] if Tensor in parts else [spec for part in parts for spec in _specs(part)]


def _spec(kind: str, text: str) -> _Spec:
    if kind not in _DTYPES:
        raise TypeError(f"{kind}[Tensor, {text!r}]: expected one of {', '.join(_DTYPES)}")
    words = text.split()
    at = next((i for i, word in enumerate(words) if word[0] == "*"), len(words))
    dims = tuple(map(_dim, words[:at] + words[at + 1 :]))
    return _Spec(kind, _DTYPES[kind], text, dims, at, words[at] if at < len(words) else "")


def _dim(word: str) -> _Dim:
    found = re.fullmatch(r"([A-Za-z]\w*|\{\w+\})?([+-]?\d+)?", word)
    if not found or not word:
        raise TypeError(f"dimension {word!r}: expected a name, a number, `name+1` or `{{name}}`")
    return _Dim(found[1] or "", int(found[2] or 0))


# A call, looked at


def _argument(parameter: _Parameter, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    if parameter.place < len(args):
        return args[parameter.place]
    return kwargs.get(parameter.name)


def _sizes_of_model(model: Any, names: Iterable[str]) -> _Sizes:
    """What a model knows of the names in its method's annotations."""
    sizes: _Sizes = {}
    for name in names:
        shape = getattr(model, _KNOWN[name], None)
        if isinstance(shape, tuple) and (name != "d" or len(shape) == 1):
            sizes[name] = shape[0] if name == "d" else shape
    return sizes


def _fits_one(specs: Sequence[_Spec], x: Tensor, sizes: _Sizes) -> bool:
    dtype, shape = x.dtype, tuple(x.shape)
    return any(dtype in spec.dtypes and _fits(spec, shape, sizes) for spec in specs)


def _fits(spec: _Spec, shape: tuple[int, ...], sizes: _Sizes) -> bool:
    """Tell whether `spec` describes the shape; if so, `sizes` learns what its names mean."""
    _, _, _, dims, n_lead, many = spec
    n_many = len(shape) - len(dims)
    if n_many < 0 or (n_many > 0 and not many):
        return False
    new: _Sizes = {}
    if many:
        run = shape[n_lead : n_lead + n_many]
        if sizes.get(many, run) != run:
            return False
        new[many] = run
        shape = shape[:n_lead] + shape[n_lead + n_many :]
    for (name, more), size in zip(dims, shape, strict=True):
        known = sizes.get(name, new.get(name)) if name else 0
        if known is None:
            new[name] = size - more
        elif known != size - more:
            return False
    sizes.update(new)
    return True


# What is told


def _reason(parameter: _Parameter, others: Mapping[_Parameter, Any], model: Any) -> str:
    """From which other arguments, or from which model, the expected sizes are known."""
    known = [
        f"{other.name} has {tuple(x.shape)}"
        for other, x in others.items()
        if isinstance(x, Tensor) and parameter.names & other.names
    ]
    for name in _sizes_of_model(model, parameter.names & _KNOWN.keys()):
        shape = getattr(model, _KNOWN[name])
        known.append(f"the {_KNOWN[name]} of the {type(model).__name__} is {shape}")
    return f", since {' and '.join(known)}" if known else ""


def _complaint(name: str, x: Tensor, specs: Sequence[_Spec], sizes: _Sizes, reason: str) -> str:
    able = [spec for spec in specs if x.dtype in spec.dtypes]
    if not able:
        return f"{name} holds {x.dtype}, expected {_EXPECTED[specs[0].kind].format(name)}"
    shape = tuple(x.shape)
    told = f"{name} has shape {shape}, expected " + " or ".join(_shown(s, sizes) for s in able)
    trials = {"[None]": (1, *shape), "[..., None]": (*shape, 1)}
    if shape[-1:] == (1,):
        trials[".squeeze(-1)"] = shape[:-1]
    for how, trial in trials.items():
        if any(_fits(spec, trial, dict(sizes)) for spec in able):
            return f"{told}{reason}; try {name}{how}"
    return told + reason


def _shown(spec: _Spec, sizes: _Sizes) -> str:
    """The shape that `spec` describes: sizes where they are known, or else names."""
    words: list[str] = []
    for word in spec.text.split():
        if word == spec.many:
            words += map(str, sizes.get(word, ["..."]))
            continue
        name, more = _dim(word)
        size = sizes.get(name)
        words.append(word.strip("{}") if size is None else str(size + more))
    return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"
