"""The rules of docstrings, and what breaks them.

The house style is numpydoc's sections; short functions may say the same in a sentence. What the
sections have to look like is asked in `test_docstrings_numpydoc`. Of a public name is asked:

* a summary that ends with a full stop;
* every argument, in the section "Parameters" or "Attributes", or by name in the text, or by a
  pointer to where it is described ("as `integrate`"); for a method the text of its class
  counts, and that of the method it implements;
* what comes back: a section "Returns", a sentence, or a summary that names the thing ("Heights [V],
  shape (count,).") and does not begin with a verb;
* every error of the toolkit that its own body raises, by name.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from ddkbase.errors import InstallationError

PACKAGES = ("ddkbase", "devicephys", "compact", "network", "ddk")
#: the toolkit's errors; the last stands for all
ERRORS = (
    "InputError",
    "SolverError",
    "StorageError",
    "InstallationError",
    "Interrupted",
    "DDKError",
)
_WORDS = """
    add apply assemble bring build calculate call clamp collect compare compute convert copy
    cut describe draw drop evaluate export extract fill find fit fold follow gather get give
    initialise keep learn load lower make normalise open parse plot predict prepare print put
    raise read reduce refuse remove rename replace resume run save say scale search select
    send show simulate solve split standardise stop store take tell train transform try update
    validate wait write
"""
#: first words of summaries that say what is done, not what comes back
VERBS = frozenset(_WORDS.split())
_NOTHING = ("None", "NoReturn", "inspect._empty")
_POINTER = re.compile(
    r"\b(?:[Aa]s|[Ss]ee|[Ll]ike|arguments of|what) (?:for |in |of )?`{1,2}[\w.]+`{1,2}"
)


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is wrong with one docstring."""

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"


def public(package: str) -> Iterator[tuple[str, Any, Any]]:
    """Name, object and owner (class or None) of all that is public in a package."""
    module = importlib.import_module(package)
    for name in module.__all__:
        found = getattr(module, name)
        if isinstance(found, ModuleType):
            yield f"{package}.{name}", found, None
            for inner in getattr(found, "__all__", ()):
                try:
                    member = getattr(found, inner)
                except InstallationError:
                    continue  # of an optional package that is not installed here
                yield from _with_members(f"{package}.{name}.{inner}", member)
        else:
            yield from _with_members(f"{package}.{name}", found)


def _with_members(name: str, found: Any) -> Iterator[tuple[str, Any, Any]]:
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        return  # constants are described where they stand
    if not str(getattr(found, "__module__", "")).startswith(PACKAGES):
        return
    yield name, found, None
    if not inspect.isclass(found):
        return
    for member, raw in vars(found).items():
        if member.startswith("_"):
            continue
        if isinstance(raw, classmethod | staticmethod):
            yield f"{name}.{member}", raw.__func__, found
        elif isinstance(raw, property) or inspect.isfunction(raw):
            yield f"{name}.{member}", raw, found


def faults(name: str, found: Any, owner: Any = None) -> list[Fault]:
    """What breaks the rules in the docstring of one object."""
    text = documentation(found, owner)
    if not text:
        return [Fault(name, "no docstring")]
    said = []
    if not summary(text).endswith((".", ":", "`")):
        said.append(f"the summary does not end with a full stop: {summary(text)[-40:]!r}")
    if not isinstance(found, ModuleType):
        if inspect.isclass(found):
            said += _arguments(text, _own_arguments(found))
        else:
            function = found.fget if isinstance(found, property) else found
            around = "\n\n".join([text, *_above(name, owner)])
            said += _arguments(text, _names(function), around)
            said += _returned(text, function, isinstance(found, property), owner)
            said += _raised(around if owner is not None else text, function)
    return [Fault(name, what) for what in said]


def documentation(found: Any, owner: Any) -> str:
    """The docstring, also where a method has it from the method it overrides."""
    own = inspect.getdoc(found)
    if own or owner is None:
        return own or ""
    name = found.fget.__name__ if isinstance(found, property) else found.__name__
    return inspect.getdoc(getattr(owner, name)) or ""


def _above(name: str, owner: Any) -> list[str]:
    """What else tells about a method: its class, and the methods it overrides or implements."""
    if owner is None:
        return []
    method = name.rsplit(".", 1)[1]
    package = importlib.import_module(name.split(".", 1)[0])
    promised = [
        one
        for one in (getattr(package, key) for key in package.__all__)
        if getattr(one, "_is_protocol", False)
        and all(hasattr(owner, key) for key in vars(one) if not key.startswith("_"))
    ]
    return [
        inspect.getdoc(owner) or "",
        *(inspect.getdoc(getattr(one, method, None)) or "" for one in (*owner.__mro__, *promised)),
    ]


def summary(text: str) -> str:
    """The first paragraph."""
    return " ".join(text.strip().split("\n\n", 1)[0].split())


def _section(text: str, *names: str) -> str:
    pattern = rf"^(?:{'|'.join(names)})\n-+\n(.*?)(?=^\w[\w ]*\n-{{3,}}\n|\Z)"
    return "\n".join(re.findall(pattern, text, re.MULTILINE | re.DOTALL))


def _names(function: Any) -> list[str]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return []
    return [n for n in signature.parameters if n not in ("self", "cls") and not n.startswith("_")]


def _own_arguments(found: type) -> list[str]:
    # what pydantic puts in a dataclass as its __init__ takes (*args, **kwargs)
    by_fields = "__init__" not in vars(found) or "__pydantic_fields__" in vars(found)
    if dataclasses.is_dataclass(found) and by_fields:
        return [f.name for f in dataclasses.fields(found) if not f.name.startswith("_")]
    if getattr(found, "_is_protocol", False):
        return []
    if hasattr(found, "model_fields"):
        return list(found.model_fields)
    return _names(vars(found)["__init__"]) if "__init__" in vars(found) else []


def _arguments(text: str, names: list[str], around: str | None = None) -> list[str]:
    if _POINTER.search(text):
        return []
    entries = _section(around or text, "Parameters", "Attributes")
    described = list(_entries(entries))
    listed = {name for name, says in described if says}
    silent = {name for name, says in described if not says} - listed
    prose = around or text
    missing = []
    for name in names:
        bare = name.strip("*")
        mentioned = re.search(rf"(?<![\w.]){re.escape(bare)}(?!\w)", prose) and bare not in silent
        # "`terms_*`" stands for all of that beginning
        family = any(
            bare.startswith(start) for start in re.findall(r"`(\w+_)\*`", text + (around or ""))
        )
        if bare not in listed and not mentioned and not family:
            missing.append(bare)
    return [f"does not say what {', '.join(missing)} is"] if missing else []


def _entries(section: str) -> Iterator[tuple[str, bool]]:
    """Names of a section, and whether there is a text below the line ``name : type``."""
    for line, below in itertools.pairwise([*section.splitlines(), ""]):
        if line.strip() and not line.startswith(" "):
            for one in line.partition(" : ")[0].split(","):
                yield one.strip().lstrip("*"), re.match(r" +\S", below) is not None


def _returned(text: str, function: Any, is_property: bool, owner: Any) -> list[str]:
    annotation = str(inspect.signature(function).return_annotation)
    if is_property or annotation in _NOTHING or "NoReturn" in annotation:
        return []
    if owner is not None and annotation in ("Self", owner.__name__):
        return []  # one more of its kind
    if _section(text, "Returns", "Yields") or _POINTER.search(text):
        return []
    if re.search(r"\b(?:[Rr]eturns?|[Yy]ields?|[Gg]ives|answers?)\b", text):
        return []
    first = re.sub(r"\W", "", summary(text).split()[0]).lower()
    if first in VERBS:
        return ["does not say what it returns"]
    return []


def _raised(text: str, function: Any) -> list[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
            if name in ERRORS:
                found.add(name)
    missing = sorted(n for n in found if n not in text and "DDKError" not in text)
    return [f"does not say that it raises {', '.join(missing)}"] if missing else []
