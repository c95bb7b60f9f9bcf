"""What a heading says: the role of its column, and whether it holds values of their own.

A new spelling goes into `HEADINGS` (whole headings) or `WORDS` (words of a heading), one of a
direction into `UP` or `DOWN`. What is not here is not guessed.
"""

from __future__ import annotations

import functools
import re

from ddkbase.tables.table import Cell

__all__ = [
    "BESIDE",
    "QUANTITY",
    "VALUES",
    "direction_in",
    "direction_of",
    "is_known",
    "is_value",
    "role_of",
    "without_number",
]

QUANTITY = {
    "conductance": "S",
    "resistance": "ohm",
    "current": "A",
    "voltage": "V",
    "amplitude": "V",
    "width": "s",
    "time": "s",
}
VALUES = ("conductance", "resistance", "current")
#: roles of columns that stand beside the values and are never trains
BESIDE = ("spread", "extreme", "derived", "statistic", "time", "other")
HEADINGS: dict[str, set[str]] = {
    "conductance": {"g", "cond", "conductance", "gread", "conductivity", "g read", "read g"},
    "resistance": {"r", "res", "resistance", "rread", "r read", "read r"},
    "current": {"i", "current", "iread", "i read", "read i", "ai", "draini", "anodei"},
    "voltage": {"v", "u", "voltage", "vread", "v read", "read v", "av", "drainv", "anodev"},
    "time": {"x value"},  # of LabVIEW
    "amplitude": {
        "amplitude", "amp", "pulse amplitude", "pulse voltage", "pulse height", "write voltage",
        "v pulse", "vpulse", "v write", "vwrite", "v p", "voltage amplitude", "v amp",
        "v set", "v reset", "vset", "vreset", "programming voltage", "v prog", "vprog", "vp",
    },
    "width": {
        "width", "pulse width", "duration", "pulse duration", "pulse length", "t pulse", "pw",
        "t width", "write width", "tpulse", "t p", "tp", "twidth", "t write",
    },
    "pulse": {
        "pulse", "pulses", "pulse number", "pulse no", "pulse no.", "pulse nr", "pulse index",
        "pulse count", "pulse id", "n", "no", "no.", "nr", "nr.", "#", "number", "index", "idx",
        "n pulse", "n pulses", "number of pulses", "pulse #", "#pulse", "step", "pulsenumber",
        "num pulses", "# pulses", "# of pulses", "pulse num", "npulse", "npulses",
        "applied pulses", "pulse n", "puls", "pulsnummer", "pulszahl", "脉冲数",
        "脉冲次数", "パルス数", "펄스 수",
    },
    "train": {
        "train", "cycle", "device", "cell", "run", "sweep", "trace", "series", "sample", "loop",
        "train number", "cycle number", "device number", "dev", "cycle no", "device id", "cell id",
        "cycle index", "scan", "utterance", "block", "die", "chip", "zyklus", "cycles", "# cycles",
        "cycle #", "number of cycles", "devices", "cells",
    },
    "direction": {
        "direction", "dir", "polarity", "operation", "op", "up/down", "set/reset", "mode",
        "ltp/ltd", "richtung",
    },
}  # fmt: skip
UP = {"up", "set", "pot", "potentiation", "ltp", "increase", "+", "+1", "1", "p"}
DOWN = {"down", "reset", "dep", "depression", "ltd", "decrease", "-", "-1", "d"}
#: those that are words and say a direction wherever they stand
LONGER = {w for w in UP | DOWN if len(w) > 1 and w.isalpha()}
#: words anywhere in a heading; of several the first group counts
WORDS: dict[str, set[str]] = {
    "spread": {
        "std", "stdev", "stddev", "sd", "sigma", "sem", "se", "deviation", "uncertainty", "rms",
        "variance", "var", "cv", "err", "error", "errors", "stderr", "iqr",
    },
    "extreme": {
        "min", "max", "minimum", "maximum", "lower", "upper", "q1", "q3", "p5", "p10", "p25",
        "p75", "p90", "p95", "percentile", "quantile", "quartile",
    },
    "derived": {
        "ratio", "delta", "change", "variation", "shift", "increment", "decrement", "diff",
        "difference", "target", "goal", "threshold",
        "compliance", "limit", "noise", "leakage", "dg", "dr", "di", "\u0394", "\u03b4",
        "slope", "derivative", "deriv", "drift", "fit", "fitted", "model", "setpoint",
        "inverse", "reciprocal", "inverted", "reference", "ref", "nominal", "comp", "icc", "\u2206",
    },
    "statistic": {
        "probability", "probabilities", "cdf", "pdf", "cumulative", "percentage", "histogram",
        "bin", "bins", "counts", "occurrences", "weibull",
    },
    "conductance": {
        "conductance", "conductances", "conductivity", "cond", "transconductance", "leitwert",
        "leitf\u00e4higkeit", "电导", "電導", "conductancia",
        "проводимость", "conduttanza", "condut\u00e2ncia", "conductantie",
    },
    "resistance": {
        "resistance", "resistances", "resist", "resistivity", "widerstand", "memristance",
        "hrs", "lrs", "ohm", "ohms", "resistencia", "r\u00e9sistance", "电阻", "電阻",
        "抵抗", "저항", "сопротивление", "resistenza", "weerstand", "rezystancja",
    },
    "current": {
        "current", "currents", "strom", "courant", "电流", "電流", "전류", "ток", "corriente",
        "corrente",
    },
    "voltage": {
        "voltage", "voltages", "volt", "volts", "bias", "spannung", "电压", "電圧",
        "전압", "напряжение", "tension", "voltaje", "tensione", "tens\u00e3o",
    },
}  # fmt: skip
_PULSE = {
    "pulse",
    "pulses",
    "puls",
    "pulso",
    "pulsos",
    "impuls",
    "impulso",
    "impulsion",
    "impulsions",
    "spike",
    "spikes",
    "脉冲",
    "脈衝",
    "パルス",
    "펄스",
    "импульс",
    "импульса",
    "импульсов",
}
_COUNT = {
    "number", "no", "nr", "num", "n", "index", "idx", "id", "count", "counts", "counter", "#", "of",
    "nth",
    "applied", "cumulative", "total", "accumulated", "cum", "the", "step", "iteration", "数",
    "次数", "回数", "编号",
    "номер", "число", "количество", "кол",
}  # fmt: skip
_WRITE = {"write", "wr", "prog", "program", "programming", "set", "reset", "erase", *_PULSE}
_HEIGHT = {"amplitude", "amp", "height", "voltage", "v", "volts", "level"}
_LENGTH = {"width", "duration", "length"}
_TIME = {
    "time", "zeit", "timestamp", "elapsed", "delay", "seconds", "sec", "interval", "date", "times",
    "datetime", "clock", "t", "时间", "時間", "время", "temps", "tiempo", "tempo",
}  # fmt: skip
#: "Number of voltage pulses", "Pulse number of LTP"
_NUMBERING = (
    {"number", "of", "the", "voltage", "applied", "write", "programming"} | _PULSE | _COUNT | LONGER
)
_NUMBER = {"number", "no", "nr", "num", "count", "counter", "index", "idx", "#", "nth", "counts"}
_OTHER = {
    "temperature", "temp", "address", "addr", "flag", "flags", "status", "comment", "energy",
    "power", "charge", "dose", "fluence", "capacitance", "row", "column", "col", "wl", "bl",
    "gate", "frequency", "freq", "humidity", "pressure", "label", "note", "remark", "x", "file",
    "rows",
}  # fmt: skip
_SUMMED = {"charge", "energy", "dose", "fluence", "time"}  # "cumulative charge" is no distribution
_FILLERS = {
    "read", "reading", "readout", "mean", "median", "avg", "average", "measured", "meas", "the",
    "device", "cell", "memristor", "channel", "total", "dc", "final", "post", "normalized",
    "normalised", "norm", "rel", "relative", "value", "values", "absolute", "abs",
}  # fmt: skip
#: resistances and conductances that are not the cell's
_BESIDE_A_CELL = {
    "series", "load", "contact", "shunt", "parasitic", "leak", "ext", "external", "rext", "rload",
}  # fmt: skip
#: "G step": what a pulse adds, not what it leads to
_PARTS = {"step", "loss", "gain", "modulation"}
_SYMBOLS = {"g": "conductance", "r": "resistance", "i": "current", "v": "voltage", "u": "voltage"}
#: what may stand behind a symbol with nothing between: "Rmem", "RHRS", "Id"
_GLUED = re.compile(
    r"(?P<symbol>[grivu])(?:hrs|lrs|on|off|mem|cell|dut|read|mean|avg|med|median|set|reset|up|down|"
    r"pot|dep|ltp|ltd|after|before|post|pre|final|initial|init|meas|measured|dev|device|d|p|ds|sd|ch|"
    r"tot|total|dc|high|low|norm|n|m|out|in|rram|fefet|sample|max|min|std|error|err)?"
)
#: "G0/G", "Roff/R": over the value, not of it
_UPSIDE_DOWN = re.compile(r"(?i)[GRI][_\s]?[a-z0-9]+\s*/\s*[GRI](?![a-z0-9_])")
#: "G/G_max", "R / R0": of the value, divided by one of its kind
_RELATIVE = re.compile(r"(?i)(?P<symbol>[gri])\s*/\s*(?P=symbol)[_\s]?[a-z0-9]{1,7}")
_OF = r"(?:_?(?:\d|i|init|initial|min|off|ref|start|base|before))?"
#: one that was computed of values: "G-G0", "G^2", "G*R", "G/R", "G'", "G/G0-1"
_COMPUTED = re.compile(
    rf"(?<![A-Za-z])(?:(?P<symbol>[GRI]){_OF}\s*[-\u2212\u2013]\s*(?P=symbol){_OF}(?![A-Za-z])"
    r"|[GRI]\w*\s*(?:\^|\*|\u00b7|\u00d7|['\u2032])"
    r"|(?P<over>[GR])\w*\s*/\s*(?!(?P=over))[GRIV](?![A-Za-z])"
    r"|[GRI]\w*\s*/\s*[GRI]\w*\s*[-\u2212\u2013]\s*1(?!\w))"
)
#: "(T = 300 K)": under which conditions
_SAID = re.compile(r"\s*[(\[][^()\[\]=]*=[^()\[\]]*[)\]]")
_MORE_VOLTS = {"vg", "vgs", "vgate", "ug", "vs", "vb", "vsub"}
_MORE_AMPERES = {"ig", "igs", "igate", "ib", "isub", "ileak"}
_TOKENS = re.compile(
    r"[\u0394\u03b4\u2206]|[A-Z]+(?![a-z])|[A-Z]?[a-z\u00df-\u00ff]+|\d+|[^\W\d_]+|#|[+-](?=$|\s)"
)


@functools.lru_cache(maxsize=4096)
def role_of(heading: str) -> str | None:
    """The role that a heading without its unit names; None if it is not known.

    Beside the roles of `HEADINGS`: "spread" and "extreme" of other values, "derived" from others
    or set beforehand, "time", and "other" for what is known to hold none of these.
    """
    heading = _SAID.sub("", heading)
    text = re.sub(r"[_\s]+", " ", heading.strip().lower()).strip(" :")
    if text.startswith("/"):  # "/R0/PLUS X": a node of a simulated circuit
        return None
    for role, spellings in HEADINGS.items():
        if text in spellings:
            return role
    relative = _RELATIVE.fullmatch(heading.strip())
    if relative:
        return _SYMBOLS[relative["symbol"].lower()]
    tokens = [t.lower() for t in _TOKENS.findall(heading.replace("_", " "))]
    words = set(tokens)
    if not words:
        return None
    if tokens[0] == "d" and len(tokens) > 1 and not tokens[1].isdigit():  # "dG", "dR/R", not "D1"
        return "derived"
    for role in ("spread", "extreme", "derived", "statistic"):
        counted = role == "statistic" and words & (_PULSE | _SUMMED | {"adc"})
        if words & WORDS[role] and not counted:
            return role
    if tokens in (["i", "g"], ["v", "g"]) or (words & {"t"} and words & {"k", "c"}):
        return "other"  # of the gate; a temperature
    if _UPSIDE_DOWN.match(heading.strip()):
        return "derived"
    if _COMPUTED.search(heading) and not {"max", "min"} <= set(re.split(r"[\W_GRI]+", heading)):
        return "derived"
    if re.fullmatch(r"[ivu]_?(?:write|wr|prog|program|pulse)", text):
        return "amplitude" if text[0] in "vu" else "other"
    if words & _PULSE and words & _NUMBER and words <= _NUMBERING:
        return "pulse"
    if words & _WRITE and words & _LENGTH:
        return "width"
    if words & _WRITE and words & _HEIGHT and not words & {"read"}:
        return "other" if words & _OTHER else "amplitude"
    if words & _PULSE and words <= _PULSE | _COUNT | LONGER:
        return "pulse"
    if (
        words & {"gate", "power", "energy", "temperature"}
        or words & _MORE_VOLTS | words & _MORE_AMPERES
    ):
        return "other"
    written = bool(words & (_WRITE - {"set", "reset"})) and not words & {"after", "read", "before"}
    for role in (*VALUES, "voltage"):
        if words & WORDS[role]:
            if role == "resistance" and words & _BESIDE_A_CELL:
                return "other"
            if words & _PARTS and role in VALUES:
                return "derived"
            return "other" if written and role == "current" else role
    rest = [t for t in tokens if t not in _FILLERS and (len(t) == 1 or t not in UP | DOWN)]
    match = _GLUED.fullmatch(rest[0]) if rest else None
    if match and words & _BESIDE_A_CELL and match["symbol"] in "gr":
        return "other"
    if match and words & _PARTS and match["symbol"] in "gri":
        return "derived"
    if match and not words & _TIME:
        ending = rest[0][1:]
        if ending in ("max", "min", "std", "err", "error") and len(ending) > 1:
            return "extreme" if ending in ("max", "min") else "spread"
        return "other" if written else _SYMBOLS[match["symbol"]]
    if words & _TIME:
        return "time"
    if words <= HEADINGS["train"] | _COUNT and words & HEADINGS["train"]:
        return "train"
    return "other" if words & _OTHER else None


def direction_in(heading: str) -> str | None:
    """The direction that a word of a heading names: "up", "down" or None."""
    tokens = set(re.split(r"[_\s,;:()-]+", heading.strip().lower())) - {""}
    longer = {w for w in tokens if len(w) > 1 and not w.lstrip("+-").isdigit()}
    up, down = bool(longer & UP), bool(longer & DOWN)
    return None if up == down else "up" if up else "down"


def direction_of(cell: Cell) -> str | None:
    """The direction that a cell names ("up", "RESET", "-1"); None if it names none."""
    if isinstance(cell, float):
        cell = f"{cell:g}"
    text = str(cell or "").strip().lower()
    text = text.removesuffix(".0")
    return "up" if text in UP else "down" if text in DOWN else None


def is_known(name: str) -> bool:
    """Whether a heading without its unit has a role or names a direction."""
    return bool(role_of(without_number(name)) or direction_in(name))


def is_value(name: str) -> bool:
    """Whether a heading without its unit names conductance, resistance or current."""
    return role_of(name) in VALUES


def without_number(name: str) -> str:
    """A heading without the number behind it: "G" for "G 12"."""
    return re.sub(r"[\s_.#-]*\d+$", "", name)
