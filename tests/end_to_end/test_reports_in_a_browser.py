"""The reports in headless Chromium, opened from the disk: no error, every control works."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddkbase import html as html_page
from devicephys.plots import iv as plots
from devicephys.report import report
from tests.browser import Browser, Page
from tests.synthetic import iv_trace, pulse_trace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a run, with a comma & more")
    ds = iv_trace(fine=6, frames=30)
    picture = plots.save_figure(plots.iv_figure(ds), folder / "iv.png")
    return report.write_report(folder, ds, [picture])


def sound(page: Page, path: Path) -> None:
    """No complaint of the console, nothing fetched but the file itself, nothing sticks out."""
    assert page.errors == []
    assert page.requests == [path.resolve().as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def map_sum(page: Page, field: str) -> int:
    """A number that changes with what a map shows."""
    total = page.evaluate(
        f"(() => {{ const c = document.getElementById('viewer-map-{field}');"
        # read from a copy: the browser warns who reads a canvas often
        "const p = Object.assign(document.createElement('canvas'),"
        "{ width: c.width, height: c.height }).getContext('2d', { willReadFrequently: true });"
        "p.drawImage(c, 0, 0); const d = p.getImageData(0, 0, c.width, c.height).data;"
        "let s = 0; for (let i = 0; i < d.length; i++) s = (s * 31 + d[i]) % 1000000007;"
        "return s; })()"
    )
    return int(total)


def shown(page: Page) -> dict[str, Any]:
    """What the viewer tells and draws."""
    names = ("voltage", "current", "temperature", "gap")
    told = {name: page.text(f"#viewer-value-{name}") for name in names}
    return {
        "told": page.text("#viewer-told"),
        "slider": page.evaluate("Number(document.getElementById('viewer-instant').value)"),
        **told,
        **{f"map {field}": map_sum(page, field) for field in "nTV"},
    }


def differ(before: dict[str, Any], after: dict[str, Any], *names: str) -> None:
    for name in names:
        assert before[name] != after[name], name


def test_points_are_picked_by_button_curve_slider_and_key(browser: Browser, loop: Path) -> None:
    page = browser.open(loop)
    ds = iv_trace(fine=6, frames=30)
    start = shown(page)
    assert "B, edge of RESET" in start["told"]
    for letter in "DEFGHA":
        page.click(f"button[aria-label^='{letter},']")
        told = shown(page)
        assert f": {letter}, " in told["told"]
        step = int(np.abs(ds["time"].values - ds["time_point"].sel(point=letter).item()).argmin())
        volts = f"{ds['voltage'].values[step]:+.3f} V".replace("-", "−")
        assert told["voltage"] == volts
        assert page.evaluate("document.querySelector('button[aria-pressed=true]').textContent") == (
            letter
        )
    page.click("button[aria-label^='D,']")
    at_d = shown(page)
    differ(start, at_d, "told", "slider", "voltage", "current", "gap", "map n", "map T", "map V")

    # where the disc of G is drawn on the curve
    share = page.evaluate(
        "(() => { const c = document.getElementById('viewer-curve');"
        "const l = [...c.querySelectorAll('.letter')].find((e) => e.textContent === 'G');"
        "const b = c.viewBox.baseVal;"
        "return [l.getAttribute('x') / b.width, (l.getAttribute('y') - 4) / b.height]; })()"
    )
    page.click("#viewer-curve", *share)
    assert ": G, just after SET" in shown(page)["told"]

    page.press("#viewer-curve", "Home")
    assert shown(page)["slider"] == 0 and "Instant 1 of" in shown(page)["told"]
    page.press("#viewer-curve", "ArrowRight")
    assert shown(page)["slider"] == 1
    page.press("#viewer-instant", "ArrowRight")
    assert shown(page)["slider"] == 2 and "Instant 3 of" in shown(page)["told"]
    page.press("#viewer-curve", "End")
    last = page.evaluate("Number(document.getElementById('viewer-instant').max)")
    assert shown(page)["slider"] == last
    sound(page, loop)


def test_the_cross_tells_the_fields_where_it_is(browser: Browser, loop: Path) -> None:
    page = browser.open(loop)
    page.click("button[aria-label^='D,']")
    ds = iv_trace(fine=6, frames=30)
    page.choose("#viewer-part", "cell")
    before = page.text("#viewer-probed")
    page.click("#viewer-map-T", 0.6, 0.4)
    pinned = page.text("#viewer-probed")
    assert pinned != before and "T = " in pinned
    r, z, celsius = (
        float(re.search(rf"{name} = ([−.\d]+)", pinned)[1].replace("−", "-")) for name in "rzT"
    )
    kelvin = ds["temperature"].sel(point="D").interp(r_node=r * 1e-9, z_node=z * 1e-9).item()
    assert abs(celsius - (kelvin - 273.15)) < 3  # r and z are told to three digits
    page.move("#viewer-map-V", 0.5, 0.3)
    assert page.text("#viewer-probed") != pinned  # under the pointer
    page.move("#viewer-told")
    assert page.text("#viewer-probed") == pinned  # back where it was pinned
    page.press("#viewer-map-n", "ArrowUp")
    assert page.text("#viewer-probed") != pinned
    page.click("#viewer-map-n", 0.6, 0.83)
    assert "bottom electrode" in page.text("#viewer-probed")
    assert "no n" in page.text("#viewer-probed")
    sound(page, loop)


def test_part_and_scale_are_chosen_and_the_loop_is_played(browser: Browser, loop: Path) -> None:
    page = browser.open(loop)
    start = shown(page)
    page.choose("#viewer-scale", "instant")
    scaled = shown(page)
    differ(start, scaled, "map T", "map V")
    page.choose("#viewer-part", "cell")
    differ(scaled, shown(page), "map n", "map T", "map V")
    page.press("#viewer-curve", "End")
    page.click("#viewer-play")
    page.evaluate("new Promise((done) => setTimeout(done, 800))")
    assert page.text("#viewer-play") == "Stop"
    running = shown(page)["slider"]
    assert running >= 2
    page.click("#viewer-play")
    stopped = shown(page)["slider"]
    page.evaluate("new Promise((done) => setTimeout(done, 400))")
    assert shown(page)["slider"] == stopped and page.text("#viewer-play") == "Play"
    sound(page, loop)


def test_on_a_phone_everything_stacks_and_a_finger_works(browser: Browser, loop: Path) -> None:
    page = browser.open(loop, 390, 844)
    tops = [page.evaluate(f"document.getElementById('viewer-map-{f}').offsetTop") for f in "nTV"]
    assert tops[0] < tops[1] < tops[2]
    page.tap("button[aria-label^='E,']")
    assert ": E, before SET" in page.text("#viewer-told")
    page.tap("#viewer-curve", 0.9, 0.1)
    assert ": E, before SET" not in page.text("#viewer-told")
    before = page.text("#viewer-probed")
    page.tap("#viewer-map-T", 0.6, 0.3)
    assert page.text("#viewer-probed") != before
    sound(page, loop)


def test_without_scripts_the_pictures_are_there(browser: Browser, loop: Path) -> None:
    page = browser.open(loop, script=False)
    node = page.send("DOM.getDocument", depth=-1)["root"]
    shown_text = page.send("DOM.getOuterHTML", nodeId=node["nodeId"])["outerHTML"]
    assert "The field viewer needs JavaScript" in shown_text
    assert 'id="viewer" hidden' in shown_text and "data:image/png;base64" in shown_text
    assert page.errors == []


def test_a_window_that_changes_its_width_is_filled_anew(browser: Browser, loop: Path) -> None:
    page = browser.open(loop)
    wide = page.evaluate("document.getElementById('viewer-curve').viewBox.baseVal.width")
    page.send(
        "Emulation.setDeviceMetricsOverride",
        width=700,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    page.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert page.evaluate("document.getElementById('viewer-curve').viewBox.baseVal.width") != wide
    sound(page, loop)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["train", "stump", "several loops", "one instant"])
def test_other_reports_of_devices(kind: str, width: int, browser: Browser, tmp_path: Path) -> None:
    ds = {
        "train": lambda: pulse_trace(count=30),
        "stump": lambda: iv_trace(fine=4, frames=4, complete=False),
        "several loops": lambda: iv_trace(loops=3, fine=4, frames=9),
        "one instant": lambda: iv_trace(fine=4, frames=1).isel(point=slice(0), time=slice(1)),
    }[kind]()
    path = report.write_report(tmp_path, ds, [])
    sound(browser.open(path, width), path)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of tables and networks."""
    from compact.report import write_report
    from compact.table.table import AlphaBetaTable
    from ddk.studies import comparison, result
    from ddk.studies.experiment import run
    from ddk.studies.runs import compare
    from ddk.studies.tasks import get_task
    from ddkbase import html
    from ddkbase.files import write_bytes
    from tests.compact.table_data import campaign

    folder = tmp_path_factory.mktemp("others")
    few = {"train": 300, "validation": 60, "test": 120}
    task = dataclasses.replace(get_task("digits"), limits=few, hidden=(8,)).with_epochs(1)
    row = ["a rather long name of a setting", *(f"{k}.123 ± 0.456" for k in range(9))]
    texts = {
        "run": result.report_text(task, run(task, "ddk", 0)),
        "comparison": comparison.report_text(compare(task, ["ddk", "raw"], [0, 1])),
        "search": html.page(
            "A search",
            ["Of 9 settings", html.table(["name", *"abcdefghi"], [row] * 9, numbers=True)],
        ),
    }
    paths = {
        name: write_bytes(folder / f"{name}.html", text.encode()) for name, text in texts.items()
    }
    campaigns = campaign(cycles=3), campaign(amplitudes=(-2.0, -3.0), widths=(1e-7, 2e-7))
    tables = [AlphaBetaTable.fit(one) for one in campaigns]
    return {"table": write_report(tables, folder / "table.html"), **paths}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["table", "run", "comparison", "search"])
def test_reports_of_tables_and_networks(
    kind: str, width: int, browser: Browser, others: dict[str, Path]
) -> None:
    page = browser.open(others[kind], width)
    sound(page, others[kind])
    assert page.evaluate("document.querySelectorAll('table').length") > 0
    assert page.evaluate("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")


def test_the_browser_tells_errors_and_requests(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<img src='missing.png'><script>console.error('so'); nothing()</script>")
    page = browser.open(path)
    assert any("so" in error for error in page.errors)
    assert any("nothing is not defined" in error for error in page.errors)
    assert any(address.endswith("missing.png") for address in page.requests)
    # and the policy of a page keeps a script of others from running
    alien = html_page.Html("<script>window.alien = 1</script>")
    path.write_text(html_page.page("t", [alien], scripts=["window.own = 1;"]))
    page = browser.open(path)
    assert page.evaluate("[window.own, window.alien]") == [1, None]
    assert any("Content Security Policy" in error for error in page.errors)
