"""The command ``ddk-network fit-model``: any model of a cell, fitted to loops and pulse trains."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

import compact
import devicephys
from compact.cli.options import AmplitudeOption, ReadingOptions, WidthOption, open_trains
from ddk.cli.options import app, command
from ddkbase.cli.application import examples
from ddkbase.cli.options import given, option_groups, path_of
from ddkbase.cli.output import Output
from ddkbase.errors import InputError

if TYPE_CHECKING:  # start-up: NumPy reads how many threads it may have when it is loaded
    from compact.fitting.models import ModelFit


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Pulse trains, and what their files do not say."""

    trains: Annotated[
        list[str] | None,
        typer.Option(
            "--trains", metavar="FILE", help="Pulse trains; repeatable, with or without LOOPS."
        ),
    ] = None
    amplitude: AmplitudeOption = None
    width: WidthOption = None
    read_voltage: Annotated[
        str | None,
        typer.Option("--read-voltage", metavar="VOLTAGE", help="Of the trains. Default: 0.1 V."),
    ] = None


@app.command(
    "fit-model",
    epilog=examples(
        "ddk-network fit-model loops.csv --model vteam --free r_on,r_off,k_on,k_off",
        "ddk-network fit-model loops.csv --model cell.va --free a,b --start a=1e-3 --bounds b=0:5",
        "ddk-network fit-model loops.csv --model my.py:current --free r --json",
        "ddk-network fit-model --trains ltp.csv --model vteam --free k_on,w0 --profile",
    ),
)
@command(answers=True)
@option_groups
def fit_model(
    *,
    output: Output,
    loops: Annotated[
        str | None, typer.Argument(metavar="[LOOPS]", help="Measured loops: voltage, current.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="cell.va, vteam, ..., or file.py:name.")
    ],
    free: Annotated[str, typer.Option("--free", metavar="A,B,...", help="Parameters to fit.")],
    start: Annotated[
        list[str] | None,
        typer.Option("--start", metavar="NAME=VALUE", help="Begin there. Repeatable."),
    ] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option("--bounds", metavar="NAME=LOW:HIGH", help="Its range. Repeatable."),
    ] = None,
    held_out: Annotated[
        int, typer.Option("--held-out", min=0, help="Loops, and trains, to predict.")
    ] = 1,
    starts: Annotated[int, typer.Option("--starts", min=1, help="Starts of the fit.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the further starts.")] = 0,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="RATE", help="E.g. '1 V/s', without time.")
    ] = None,
    compliance: Annotated[
        str | None,
        typer.Option(
            "--compliance", metavar="CURRENT", help="Limit of the current, e.g. '100 uA'."
        ),
    ] = None,
    pulses: TrainOptions,
    reading: ReadingOptions,
    profile: Annotated[
        bool, typer.Option("--profile", help="Profile-likelihood intervals as well.")
    ] = False,
) -> None:
    """Fit parameters of a Verilog-A module or Python function to measured loops, trains or both.

    The module is compiled and integrated along the measured voltage or the pulses, each loop and
    train from the same start.
    """
    ramps, trains = None, None
    if loops is not None:
        ramps = devicephys.read_loop(
            path_of(loops, "LOOPS"), **given(rate=rate, compliance=compliance)
        )
    if pulses.trains:
        trains = open_trains(output, pulses.trains, reading)
    elif loops is None:
        raise InputError("nothing to fit", "fit-model", "Give LOOPS, --trains FILE, or both")
    elif reading.arguments():
        raise InputError("say how trains are read", "--" + ", --".join(reading.arguments()),
                         "Give --trains FILE, too")  # fmt: skip
    result = compact.fit_model(
        ramps,
        model,
        [name.strip() for name in free.split(",")],
        start={name: _number(value, "--start") for name, value in _pairs(start, "--start")},
        bounds={name: _range(value) for name, value in _pairs(bounds, "--bounds")},
        held_out=held_out,
        starts=starts,
        seed=seed,
        trains=trains,
        profile=profile,
        **given(amplitude=pulses.amplitude, width=pulses.width, read_voltage=pulses.read_voltage),
    )
    _print_values(output, result)
    output.line(f"misfit, of the root mean square current: {100 * result.error:.3g} %")
    output.line(f"of what was held out: {100 * result.held_out_error:.3g} %")
    output.line(
        f"Durbin-Watson {result.durbin_watson:.3g}; far from 2 the intervals are too narrow"
    )
    if result.failures:
        output.note(f"{result.failures} of {result.evaluations} runs ended early")
    output.add(**dataclasses.asdict(result))


def _print_values(output: Output, result: ModelFit) -> None:
    heads = ["parameter", "value", "95 % interval", ""]
    rows = [
        [
            name,
            f"{result.values[name]:.6g}",
            f"{result.low[name]:.6g} to {result.high[name]:.6g}",
            "at its bound" if result.at_bound[name] else "",
        ]
        for name in result.low
    ]
    if result.profile_low:
        heads.insert(3, "by profile likelihood")
        for row in rows:
            row.insert(3, _profiled(result, row[0]))
    output.rows(heads, rows, "Free parameters, in the units of the model")


def _profiled(result: ModelFit, name: str) -> str:
    low, high = (f"{ends[name]:.6g}" for ends in (result.profile_low, result.profile_high))
    at = [end for end, bound in zip((low, high), result.profile_open[name], strict=True) if bound]
    return f"{low} to {high}" + (f" ({', '.join(at)}: a bound)" if at else "")


def _pairs(texts: list[str] | None, option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts or []:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise InputError(f"'{text}' is no NAME=VALUE", option)
        pairs.append((name.strip(), value))
    return pairs


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"'{text}' is no number", option, "In the units of the model") from None


def _range(text: str) -> tuple[float, float]:
    low, sign, high = text.partition(":")
    if not sign:
        raise InputError(f"'{text}' is no LOW:HIGH", "--bounds")
    return _number(low, "--bounds"), _number(high, "--bounds")
