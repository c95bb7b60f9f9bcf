"""Read every record and write key numbers: python expected.py RECORDS OUT.json"""

import json
import sys
from pathlib import Path

import numpy as np
from devicephys.request import Request
from network.result_folder import read as read_run

import network
from compact.table import AlphaBetaTable
from devicephys import campaign, records
from network import datasets
from network.hardware import read_placement

R = Path(sys.argv[1])


def plain(v):
    a = np.asarray(v)
    if a.dtype.kind in "OUTS":
        return [str(t) for t in a.ravel()] if a.ndim else str(a[()])
    if a.dtype.kind in "iub":
        return a.tolist()

    def f(t):
        return None if not np.isfinite(t) else float(t)

    return f(a[()]) if a.ndim == 0 else [f(t) for t in a.ravel()]


def ends(v):
    """First, last, sum of the finite ones, count of NaN; texts: all of them if few."""
    a = np.asarray(v)
    if a.dtype.kind in "OUTS":
        return {"values": sorted({str(t) for t in a.ravel()})[:6]}
    if a.size == 0:
        return {"size": 0}
    flat = a.ravel().astype(float)
    fin = flat[np.isfinite(flat)]
    return {
        "first": plain(flat[0]),
        "last": plain(flat[-1]),
        "sum": float(fin.sum()),
        "nan": int(flat.size - fin.size),
    }


def dataset(
    ds,
    attrs=(
        "schema",
        "schema_version",
        "title",
        "method",
        "voltage_reference",
        "complete",
        "integrator",
        "direction",
        "source",
        "headline_json",
        "protocol_json",
        "settings_json",
        "fit_json",
        "seed",
        "loops",
        "criterion",
        "task",
        "vote",
        "headline",
        "samples",
        "batch_size",
        "restore",
        "best_epoch",
        "restored_epoch",
    ),
):
    out = {
        "dims": {str(k): int(v) for k, v in ds.sizes.items()},
        "attributes": {},
        "names_of_attributes": sorted(map(str, ds.attrs)),
    }
    for a in attrs:
        if a in ds.attrs:
            v = ds.attrs[a]
            out["attributes"][a] = json.loads(v) if a.endswith("_json") else plain(v)
    out["variables"] = {
        str(n): {
            "dims": list(ds[n].dims),
            "units": str(ds[n].attrs.get("units", "")),
            "long_name": str(ds[n].attrs.get("long_name", "")),
            **ends(ds[n].values),
        }
        for n in sorted(ds.variables)
    }
    return out


def request(path):
    r = Request.read(path)
    return {
        "kind": r.kind,
        "device": r.device.name,
        "protocol": r.protocol.to_dict(),
        "settings": r.settings.to_dict(),
        "initial_resistance": r.initial_resistance,
        "seed": r.seed,
        "again": json.loads(r.to_json()) == json.loads(path.read_text()),
    }


def table(path):
    t = AlphaBetaTable.read(path)
    out = dataset(t.dataset)
    out["figures"] = t.figures()
    out["means"] = {
        n: plain(t.means[n]) for n in ("alpha", "beta", "conductance_min", "conductance_max")
    }
    setting = dict.fromkeys(())
    if "amplitude" in t.varied:
        lo, hi = sorted(map(float, t.dataset["amplitude"].values))
        for v in (lo, 0.5 * (lo + hi), hi):
            found = t.lookup(amplitude=f"{v!r} V")
            out[f"lookup {v:.4g} V"] = {
                k: plain(getattr(found, k))
                for k in (
                    "alpha",
                    "beta",
                    "conductance_min",
                    "conductance_max",
                    "alpha_spread",
                    "beta_spread",
                )
            }
        inv = t.invert(alpha=0.002, beta=0.2)
        out["invert 0.002 0.2"] = {
            "text": str(inv),
            "amplitude": inv.at.amplitude,
            "distance": inv.distance,
            "reached": bool(inv.reached),
        }
        s = t.sample(np.random.default_rng(1))
        out["sample seed 1"] = {n: plain(s.means[n]) for n in ("alpha", "beta")}
    out["reachable points sum"] = (
        float(np.nansum(t.reachable().points)) if "amplitude" in t.varied else None
    )
    return out


x3 = datasets.load("digits").x[:3]


def net(path):
    n = network.load_network(path)
    return {
        "layers": [type(l).__name__ for l in n.layers],
        "names": [l.name for l in n.layers],
        "dtype": str(n.dtype),
        "input_shape": list(n.input_shape),
        "classes": n.classes,
        "parameters": n.count().parameters,
        "macs": n.count().macs,
        "notes": dict(n.notes),
        "kinetics": {k: [plain(a), plain(b)] for k, (a, b) in n.kinetics().items()},
        "predict_proba of digits 0-2": [[float(v) for v in row] for row in n.predict_proba(x3)],
        "predict of digits 0-9": n.predict(datasets.load("digits").x[:10]).tolist(),
    }


def run(folder):
    t = read_run(folder)
    return {
        "task": t.task.name,
        "model": t.result.model,
        "accuracy": t.result.accuracy,
        "hidden": list(t.task.hidden),
        "epochs": t.task.training.epochs,
        "network": net(folder / "model.npz"),
        "history": dataset(network.read_history(folder / "history.nc").dataset),
    }


def placement(path):
    p = read_placement(path)
    n = p.network()
    chip = p.realise(1)
    return {
        "layout": p.layout,
        "chip": p.chip.title,
        "tiles": p.tiles,
        "blocks": len(p.blocks),
        "input_shape": list(p.input_shape),
        "classes": p.classes,
        "notes": dict(p.notes),
        "cells sum": float(sum(c.sum() for c in p.cells if c is not None)),
        "pulses": json.loads(json.dumps({k: dict(v) for k, v in p.pulses.items()}, default=str)),
        "schedule end": float(p.schedule[-1]["end"])
        if "end" in p.schedule[-1]
        else json.loads(json.dumps(dict(p.schedule[-1]), default=str)),
        "predict_proba of digits 0-2": [[float(v) for v in row] for row in n.predict_proba(x3)],
        "predict_proba on the chip of seed 1": [
            [float(v) for v in row]
            for row in n.predict_proba(x3, realise=chip, rng=np.random.default_rng([1, 5]))
        ],
    }


def store(folder):
    return {p.name: json.loads(p.read_text()) for p in sorted(folder.glob("runs/*.json"))}


def comparison(folder):
    return {
        "record": dataset(records.read(folder / "comparison.nc", "NetworkComparison")),
        "request": json.loads((folder / "request.json").read_text()),
        "runs": {
            k: {"accuracy": v.get("test", {}).get("accuracy"), "keys": sorted(v)}
            for k, v in store(folder).items()
        },
    }


out = {"commit": "6b2fa4a", "version": "0.1.0"}
out["iv"] = {
    "record": dataset(records.read(R / "iv/iv.nc", "IVTrace")),
    "request": request(R / "iv/request.json"),
}
out["pulses"] = {
    "record": dataset(records.read(R / "pulses/pulses.nc", "PulseTrace")),
    "request": request(R / "pulses/request.json"),
}
import network.comparison_schema

out["kinetics"] = dataset(records.read(R / "kinetics/kinetics.nc", "SwitchingTime"))
out["campaign.zarr"] = dataset(campaign.open_store(R / "campaign.zarr").load())
out["table.nc"] = table(R / "table.nc")
out["net"], out["net-table"] = run(R / "net"), run(R / "net-table")
out["net-after"] = {
    "model.npz": net(R / "net-after/model.npz"),
    "set.npz": net(R / "net-after/set.npz"),
    "history": dataset(network.read_history(R / "net-after/history.nc").dataset),
}
out["chip"] = placement(R / "chip/placement.json")
out["compare"] = comparison(R / "compare")
from network import pipeline

P = R / "pipeline"
out["pipeline"] = {
    "plan": pipeline.plan(R / "pipeline.yaml", P),
    "state": {
        p.stem: {k: json.loads(p.read_text())[k] for k in ("fingerprint", "core", "state", "uses")}
        | {"key": json.loads(p.read_text())["found"]["key"]}
        for p in sorted((P / ".pipeline").glob("*.json"))
    },
    "network/ddk": run(P / "network/ddk"),
    "controls/comparison": comparison(P / "controls/comparison"),
    "hardware/modes": store(P / "hardware/modes"),
    "hardware/table.json": json.loads((P / "hardware/table.json").read_text()),
    "compile/chip": placement(P / "compile/chip/placement.json"),
}
Path(sys.argv[2]).write_text(
    json.dumps(out, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"
)
