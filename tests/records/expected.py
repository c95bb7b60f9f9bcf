"""How expected.json was made: `python expected.py OUT.json` with the code of commit 6b2fa4a.

Today's code reads the same in tests/test_old_records.py.
"""

import json
import re
import sys
from pathlib import Path

import network.comparison_schema  # noqa: F401 - makes the record known
import summary
from compact.table import AlphaBetaTable
from devicephys import campaign, records
from devicephys.request import Request
from network import datasets, load_network, pipeline, read_history
from network.hardware import read_placement
from network.result_folder import read as read_run

HERE = Path(__file__).parent
RECORDS = {
    "iv/iv.nc": "IVTrace",
    "pulses/pulses.nc": "PulseTrace",
    "kinetics/kinetics.nc": "SwitchingTime",
    "table.nc": "AlphaBetaTable",
    "compare/comparison.nc": "NetworkComparison",
    "pipeline/controls/comparison/comparison.nc": "NetworkComparison",
}
RUNS = ("net", "net-table", "pipeline/network/ddk")
NETWORKS = (*(f"{run}/model.npz" for run in RUNS), "net-after/model.npz", "net-after/set.npz")
PLACEMENTS = ("chip/placement.json", "pipeline/compile/chip/placement.json")

x = datasets.load("digits").x
networks = {name: load_network(HERE / name) for name in NETWORKS}
placements = {name: read_placement(HERE / name) for name in PLACEMENTS}
states = sorted((HERE / "pipeline/.pipeline").glob("*.json"))
expected = {
    "commit": "6b2fa4a",
    "version": "0.1.0",
    "records": {
        name: summary.dataset(records.read(HERE / name, schema)) for name, schema in RECORDS.items()
    },
    "requests": {
        name: summary.request(Request.read(HERE / name))
        for name in ("iv/request.json", "pulses/request.json")
    },
    "campaign": summary.dataset(campaign.open_store(HERE / "campaign.zarr").load()),
    "table": summary.table(AlphaBetaTable.read(HERE / "table.nc")),
    "runs": {name: summary.run(read_run(HERE / name)) for name in RUNS},
    "histories": {
        name: summary.dataset(read_history(HERE / name / "history.nc").dataset) for name in RUNS
    },
    "networks": {name: summary.network(net) for name, net in networks.items()},
    "predictions": {name: summary.predictions(net, x) for name, net in networks.items()},
    "placements": {name: summary.placement(placed) for name, placed in placements.items()},
    "predictions of placements": {
        name: {
            "exact": summary.predictions(placed.network(), x),
            "chip": summary.predictions_on_chip(placed, x),
        }
        for name, placed in placements.items()
    },
    "pipeline": {
        "plan": dict(pipeline.plan(HERE / "pipeline.yaml", HERE / "pipeline")),
        "keys": {path.stem: json.loads(path.read_text())["found"]["key"] for path in states},
    },
}
text = json.dumps(expected, indent=1, ensure_ascii=False, allow_nan=False)
text = re.sub(r"[\[{][^][{}]*[]}]", lambda inner: re.sub(r"\n\s*", " ", inner[0]), text)
Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
