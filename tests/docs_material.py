"""Files and names that the examples of the documentation take for granted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from compact.kinetics.equations import integrate
from ddkbase import records
from devicephys.campaign.description import Campaign
from devicephys.campaign.layout import VARIABLES
from devicephys.campaign.store import CampaignStore
from tests.compact.trains import HIGH, LOW, falling
from tests.synthetic import iv_trace

#: every example is simulated at this preset, whatever it says
QUICK = """\
from devicephys.simulation import settings
settings.PRESETS["default"] = {**settings.PRESETS["quick"], "name": "default"}
"""
#: names that a page has from the page it belongs to
NAMES = {
    "compact.md": "from compact import read_pulses; trains = read_pulses('lab.csv')",
    "switching_time.md": (
        "import devicephys; cell = devicephys.load_device('tin-taox-hfox-tin'); import short_scan"
    ),
    "campaigns.md": "import short_trains",
    "learning.md": "import small_tasks",
    "export.md": (
        "from compact import AlphaBetaTable; from tests.docs_material import two_fits; "
        "reset_fit, set_fit = two_fits(); table = AlphaBetaTable.fit('runs/s8.zarr')"
    ),
}
#: so that examples of thirteen voltages, of a hundred pulses and of ten seeds end within seconds
SHORT_SCAN = """\
import numpy as np
from devicephys.protocol import switching_scan as module
whole = module.parse_voltages
module.parse_voltages = lambda given: whole(given)[6::6]
"""
SHORT_TRAINS = """\
from devicephys import PulseTrain
from devicephys.campaign import Campaign
whole = Campaign.train
def ten(self, *place):
    told = {k: v for k, v in whole(self, *place).to_dict().items() if k != "kind"}
    return PulseTrain(**{**told, "count": 10})
Campaign.train = ten
"""
SMALL_TASKS = """\
from types import MappingProxyType
import ddk.studies.tasks
small = {name: task.small() for name, task in ddk.studies.tasks.TASKS.items()}
ddk.studies.tasks.TASKS = MappingProxyType(small)
"""


def two_fits() -> tuple[object, object]:
    """A fit of a down train and one of an up train."""
    from compact.fitting.fit import fit
    from tests.compact.trains import rising

    return (
        fit(falling(0.01, 0.1), integrator="exact"),
        fit(rising(0.01, 0.05), integrator="exact", direction="up"),
    )


def lay_out(folder: Path, page: str) -> None:
    """Put what the examples of a page read into a folder."""
    (folder / "quick_preset.py").write_text(QUICK, encoding="utf-8")
    (folder / "short_scan.py").write_text(SHORT_SCAN, encoding="utf-8")
    (folder / "short_trains.py").write_text(SHORT_TRAINS, encoding="utf-8")
    (folder / "small_tasks.py").write_text(SMALL_TASKS, encoding="utf-8")
    (folder / "runs").mkdir()
    for make in (*_MATERIAL["all"], *_MATERIAL.get(page, ())):
        make(folder)


def _lab(folder: Path) -> None:
    rows = ["pulse,G (uS)"]
    rows += [f"{k},{g * 1e6:.4f}" for k, g in enumerate(falling(0.002, 0.02, noise=0.01))]
    (folder / "lab.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _loops(folder: Path) -> None:
    """Two loops of a made-up cell behind a current limit of 100 uA."""
    ways = [np.linspace(*ends, 60) for ends in ((0, 1.5), (1.5, 0), (0, -1.2), (-1.2, 0))]
    voltage = np.concatenate(ways * 2)
    current = np.clip(voltage / 4e3, -3e-4, 1e-4)
    rows = ["voltage (V),current (uA)"]
    rows += [f"{v:.4f},{i * 1e6:.4f}" for v, i in zip(voltage, current, strict=True)]
    (folder / "loops.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _cells(folder: Path) -> None:
    rows = ["device,cycle,pulse,G (uS),I (nA)"]
    for device in (1, 2):
        for cycle in (1, 2):
            train = falling(0.002, 0.02 * device, noise=0.01, seed=cycle)
            rows += [
                f"{device},{cycle},{k},{g * 1e6:.4f},{0.1 * g * 1e9:.3f}"
                for k, g in enumerate(train)
            ]
    (folder / "cell_A3.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _gong(folder: Path) -> None:
    name = "reram_gong_aihwkit"
    (folder / name).mkdir()
    measured = Path(os.environ.get("DDK_DATA", "nowhere")) / name / "gong_et_al.csv"
    if measured.is_file():
        shutil.copy(measured, folder / name)
        return
    down = falling(0.002, 0.02, noise=0.02, pulses=200) / HIGH * 2.5 - 1.2
    up = down[::-1]
    rows = [f"{u:.5f},{d:.5f}" for u, d in zip(up, down, strict=True)]
    (folder / name / "gong_et_al.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _loop(folder: Path) -> None:
    records.write(iv_trace(fine=4, frames=4, steps=80), folder / "iv.nc")


def _store(name: str, grid: dict[str, list[str]], **more: object) -> Callable[[Path], None]:
    """A campaign's store whose trains follow Eq. (4) exactly."""

    def make(folder: Path) -> None:
        described = {"name": "example", "pulses": {"count": 40}, "grid": grid, "preset": "quick"}
        campaign = Campaign.from_mapping({**described, **more})
        rng = np.random.default_rng(0)
        with CampaignStore.open(folder / "runs" / name, campaign) as store:
            for point in campaign.points():
                amplitude = campaign.amplitudes[point.amplitude]
                width = campaign.widths[point.width]
                start = campaign.initial_resistances[point.initial_resistance]
                drift = 0.2 * abs(amplitude or 0) - 0.1 + 0.1 * np.log10((width or 1e-7) / 1e-7)
                drift *= 1 + 0.02 * rng.standard_normal()
                values = {
                    key: np.full(40, 1.0) if v.per_pulse else np.array(1.0)
                    for key, v in VARIABLES.items()
                }
                y = integrate("implicit", 0.01, drift, np.ones(40))
                values["conductance"] = LOW + (HIGH - LOW) * y
                values["measured_initial_resistance"] = np.array(start or 1 / HIGH)
                store.write(point, values)

    return make


def _plan(folder: Path) -> None:
    text = """\
name: my-campaign
description: two points of two pulses
preset: quick
pulses: {count: 2}
grid: {amplitude: [-2 V, -2.5 V]}
"""
    (folder / "my-campaign.yaml").write_text(text, encoding="utf-8")


_EXAMPLE = {
    "amplitude": ["-2 V", "-2.5 V", "-3 V"],
    "width": ["50 ns", "100 ns"],
    "initial_resistance": ["5 kohm", "10 kohm"],
}
_MATERIAL: dict[str, tuple[Callable[[Path], None], ...]] = {
    "all": (_lab,),
    "foreign_data.md": (_cells, _gong),
    "file_formats.md": (_loop,),
    "howto_fit.md": (_loops,),
    "howto_paraview.md": (_loop,),
    "howto_pictures.md": (_loop,),
    "campaigns.md": (_plan, _store("fig2b.zarr", {"amplitude": ["-2 V", "-3 V"]}, cycles=3)),
    "compact.md": (_store("s8.zarr", _EXAMPLE, cycles=2, devices=2),),
    "export.md": (_store("s8.zarr", _EXAMPLE, cycles=2, devices=2),),
}
