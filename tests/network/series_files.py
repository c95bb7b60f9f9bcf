"""Files of series, small and written by the tests themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

CLASSES = ("early", "late")


def bumps(
    number: int, steps: int = 250, channels: int = 1, seed: int = 0
) -> tuple[np.ndarray, list[str]]:
    """Series (number, channels, steps) with a bump that comes early or late, and their classes."""
    rng = np.random.default_rng(seed)
    labels = [CLASSES[k % 2] for k in range(number)]
    at = np.array([0.35 if label == "early" else 0.65 for label in labels])[:, None, None]
    time = np.arange(steps) / steps
    bump = 3 * np.exp(-(((time - at) / 0.08) ** 2))
    return bump + rng.normal(0, 0.3, (number, channels, steps)), labels


def ts_text(
    values: Sequence[np.ndarray], labels: Sequence[str], heading: str = "", classes: str = ""
) -> str:
    """A .ts file of series (channels, steps) each; ``heading`` takes the place of its own."""
    alike = len({v.shape[1] for v in values}) == 1
    lines = [
        "# made up",
        "@problemName MadeUp",
        "@timeStamps false",
        f"@missing {str(any(np.isnan(v).any() for v in values)).lower()}",
        f"@univariate {str(values[0].shape[0] == 1).lower()}",
        f"@dimensions {values[0].shape[0]}",
        f"@equalLength {str(alike).lower()}",
        *([f"@seriesLength {values[0].shape[1]}"] if alike else []),
        f"@classLabel true {classes or ' '.join(sorted(set(labels)))}",
    ]
    lines = [*([heading] if heading else lines), "@data"]
    for value, label in zip(values, labels, strict=True):
        rows = (",".join("?" if np.isnan(v) else repr(float(v)) for v in row) for row in value)
        lines.append(":".join([*rows, label]))
    return "\n".join(lines) + "\n"


def write_ts(path: Path, number: int = 60, channels: int = 1, seed: int = 0) -> Path:
    """A .ts file of `bumps`."""
    path.write_text(ts_text(*bumps(number, channels=channels, seed=seed)), encoding="utf-8")
    return path


def arff_text(values: Sequence[np.ndarray], labels: Sequence[str]) -> str:
    """An .arff file as the archives have them; several channels are a relational attribute."""
    channels, steps = values[0].shape
    attributes = [f"@attribute att{k} numeric" for k in range(steps)]
    if channels > 1:
        attributes = ["@attribute relationalAtt relational", *attributes, "@end relationalAtt"]
    lines = ["% made up", "@relation 'Made up'", "", *attributes]
    lines += [f"@ATTRIBUTE target {{{','.join(sorted(set(labels)))}}}", "", "@data"]
    for value, label in zip(values, labels, strict=True):
        rows = [",".join("?" if np.isnan(v) else repr(float(v)) for v in row) for row in value]
        series = "'" + "\\n".join(rows) + "'" if channels > 1 else rows[0]
        lines.append(f"{series},{label}")
    return "\n".join(lines) + "\n"


def wide_text(
    values: np.ndarray, labels: Sequence[str], groups: Sequence[str] = (), sign: str = ","
) -> str:
    """A table with a row a sample, its headings those that pandas gives: 0, 1, 2, ..."""
    extra = ["subject"] if groups else []
    rows = [sign.join(["label", *extra, *(str(k) for k in range(values.shape[1]))])]
    for number, (value, label) in enumerate(zip(values, labels, strict=True)):
        row = [label, *([groups[number]] if groups else []), *(repr(float(v)) for v in value)]
        rows.append(sign.join(row))
    return "\n".join(rows) + "\n"


def long_text(values: Sequence[np.ndarray], labels: Sequence[str]) -> str:
    """A table with a row a step of a sample, the steps in reverse order of time."""
    rows = ["sample,time,ax,ay,class"]
    for number, (value, label) in enumerate(zip(values, labels, strict=True)):
        for step in reversed(range(value.shape[1])):
            numbers = ",".join(repr(float(v)) for v in value[:2, step])
            rows.append(f"s{number},{step / 10},{numbers},{label}")
    return "\n".join(rows) + "\n"
