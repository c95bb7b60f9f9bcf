"""Every section of a docstring has numpydoc's form: names with a type, and a text below them.

The sources are read and not imported, so private functions and optional packages are checked, too.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

docscrape = pytest.importorskip("numpydoc.docscrape", reason="pip install 'ddk-toolkit[test]'")

ROOT = Path(__file__).parents[1]
PACKAGES = [
    name
    for name in ("ddkbase", "devicephys", "compact", "network", "ddk")
    if (ROOT / name / "__init__.py").is_file()
]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: a line below which numpydoc expects a section
_HEADED = re.compile(r"^ *(?:Parameters|Attributes|Returns|Yields|Raises|Warns)\n *-{3,}$", re.M)
#: "shape (n, m)", "default 1.0" and the like say nothing of the type
_NO_TYPE = re.compile(r"(?:shape|default|optional)\b")
#: what scikit-learn sets on an estimator that is fitted
_SKLEARN = frozenset(("n_features_in_", "feature_names_in_"))


@dataclass
class Sources:
    """All classes by name, for the names that a class has from its bases."""

    classes: dict[str, list[ast.ClassDef]] = field(default_factory=dict)
    files: dict[ast.ClassDef, ast.Module] = field(default_factory=dict)

    def add(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                self.classes.setdefault(node.name, []).append(node)
                self.files[node] = tree

    def bases(self, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
        """Classes that a class is made from; of the same file, where it has one of that name."""
        for base in node.bases:
            found = self.classes.get(ast.unparse(base).split("[")[0].split(".")[-1], [])
            near = [one for one in found if self.files[one] is self.files[node]]
            yield from (one for one in near or found if one is not node)

    def is_exception(self, name: str) -> bool:
        known = getattr(builtins, name, None)
        if isinstance(known, type):
            return issubclass(known, BaseException)
        return any(
            self.is_exception(ast.unparse(base).split(".")[-1])
            for found in self.classes.get(name, [])
            for base in found.bases
        )

    def names(self, node: ast.AST) -> set[str]:
        """Arguments of a function; arguments, fields, properties and attributes of a class."""
        if isinstance(node, FUNCTIONS):
            args = node.args
            every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
            return {arg.arg for arg in every if arg is not None}
        if not isinstance(node, ast.ClassDef):
            return set()
        found: set[str] = set()
        for one in node.body:
            if isinstance(one, ast.AnnAssign | ast.Assign):
                targets = [one.target] if isinstance(one, ast.AnnAssign) else one.targets
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
            elif isinstance(one, FUNCTIONS):
                found |= {one.name} | (self.names(one) if one.name == "__init__" else set())
                found |= {
                    inner.attr
                    for inner in ast.walk(one)
                    if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
                }
        for base in self.bases(node):
            found |= self.names(base)
        return found


def faults(node: ast.AST, sources: Sources) -> list[str]:
    """What of a docstring numpydoc does not read as it is meant."""
    text = ast.get_docstring(node)  # type: ignore[arg-type]
    if not text or not _HEADED.search(text):
        return []
    read = docscrape.NumpyDocString(text)
    said: list[str] = []
    known = sources.names(node)
    for section in ("Parameters", "Other Parameters", "Attributes"):
        for entry in read[section]:
            if not entry.type or _NO_TYPE.match(entry.type):
                said.append(f"{section}: {entry.name} has no type")
            if not _is_text(entry.desc):
                said.append(f"{section}: nothing is said of {entry.name}")
            for name in entry.name.split(", "):
                bare = name.lstrip("*")
                if not bare.isidentifier():
                    said.append(f"{section}: {name!r} is no name")
                elif bare not in known | _SKLEARN:
                    said.append(f"{section}: there is no {bare}")
    for section in ("Returns", "Yields"):
        for entry in read[section]:
            if not entry.type or _NO_TYPE.match(entry.type) or entry.type.endswith((".", ";")):
                said.append(f"{section}: no type in {entry.type!r}")
            if not _is_text(entry.desc):
                said.append(f"{section}: nothing is said of {entry.name or entry.type}")
    for section in ("Raises", "Warns"):
        for entry in read[section]:
            if not sources.is_exception(entry.type):
                said.append(f"{section}: {entry.type!r} is no exception")
            if not _is_text(entry.desc):
                said.append(f"{section}: nothing is said of {entry.type}")
    return said


def _is_text(lines: list[str]) -> bool:
    return bool(re.search(r"\w", " ".join(lines)))


def documented(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Functions, methods and classes of a file, with their names."""

    def inside(node: ast.AST, above: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            name = above
            if isinstance(child, (ast.ClassDef, *FUNCTIONS)):
                name = f"{above}.{child.name}" if above else child.name
                yield name, child
            yield from inside(child, name)

    return inside(tree, "")


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


@pytest.fixture(scope="module")
def sources(trees: dict[Path, ast.Module]) -> Sources:
    found = Sources()
    for tree in trees.values():
        found.add(tree)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_sections_have_the_standard_form(
    package: str, trees: dict[Path, ast.Module], sources: Sources
) -> None:
    said = [
        f"{path.relative_to(ROOT)}:{name}: {fault}"
        for path, tree in trees.items()
        if path.relative_to(ROOT).parts[0] == package
        for name, node in documented(tree)
        for fault in faults(node, sources)
    ]
    assert not said, "\n" + "\n".join(said)


def test_there_is_much_to_check(trees: dict[Path, ast.Module]) -> None:
    headed = sum(
        bool(_HEADED.search(ast.get_docstring(node) or ""))  # type: ignore[arg-type]
        for tree in trees.values()
        for _, node in documented(tree)
    )
    assert headed > 400


def checked(source: str) -> list[str]:
    tree = ast.parse(textwrap.dedent(source))
    found = Sources()
    found.add(tree)
    return [fault for _, node in documented(tree) for fault in faults(node, found)]


GOOD = '''
    class Odd(ValueError):
        """Not even."""

    class Above:
        """A base.

        Attributes
        ----------
        path : str
            Where it is.
        """

        path: str

    class Thing(Above):
        """A thing.

        Parameters
        ----------
        size, count : int, default 1
            How large, and how many.
        **more : dict, optional
            Further settings.

        Attributes
        ----------
        path : str
            Where it is.
        shape_ : tuple of int
            What it came to.
        """

        def __init__(self, size: int = 1, count: int = 1, **more: int) -> None:
            self.shape_ = (size, count)

        def read(self, *names: str) -> tuple[int, str]:
            """Read it.

            Parameters
            ----------
            *names : str
                What is wanted.

            Returns
            -------
            number : int
                How many there are.
            text : str
                What they say.

            Raises
            ------
            Odd
                There is an odd number of them.
            OSError
                It cannot be read.
            """
'''


def test_what_is_good_passes() -> None:
    assert checked(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("path : str\n", "path\n", "path has no type"),
        ("path : str\n", "path : shape (n,)\n", "path has no type"),
        ("            How large, and how many.\n", "", "nothing is said of size, count"),
        ("size, count : int", "size, length : int", "there is no length"),
        ("size, count : int", "size and count : int", "is no name"),
        ("*names : str", "*words : str", "there is no words"),
        ("shape_ : tuple", "form_ : tuple", "there is no form_"),
        (
            "            text : str\n                What they say.\n",
            "            Text.\n",
            "Returns",
        ),
        ("                What they say.\n", "", "nothing is said of text"),
        ("            Odd\n", "            Strange\n", "'Strange' is no exception"),
        ("            Odd\n", "            Thing\n", "'Thing' is no exception"),
        ("                It cannot be read.\n", "", "nothing is said of OSError"),
        ("            OSError\n                It", "            OSError : it", "is no exception"),
    ],
)
def test_the_checker_sees_faults(old: str, new: str, complaint: str) -> None:
    assert GOOD.count(old) >= 1
    said = checked(GOOD.replace(old, new))
    assert any(complaint in fault for fault in said), said
