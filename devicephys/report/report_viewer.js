"use strict";
// The field viewer of a loop's report: pick an instant on the I-V curve, see n, T and V in the cell.
(() => {
  const viewer = document.getElementById("viewer");
  const data = JSON.parse(document.getElementById("viewer-data").textContent);
  const { Field, FieldMap, place, shown, ticks } = ddkMaps;
  const find = (name) => document.getElementById(`viewer-${name}`);
  const curve = find("curve"), slider = find("instant"), told = find("told"), probed = find("probed");
  const part = find("part"), scale = find("scale"), play = find("play");
  const fields = data.fields.map((given) => new Field(given, data.plane));
  const canvases = [...viewer.querySelectorAll("canvas")];
  const maps = canvases.map((canvas, k) => new FieldMap(canvas, fields[k], data.plane));
  const count = data.instants.length;
  const state = { at: data.start, pinned: data.probe, over: null, timer: 0 };

  // ---- the curve

  const SVG = "http://www.w3.org/2000/svg";
  function element(name, marks, parent, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(marks)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  }

  const microampere = data.curve.current.map((value) => Math.abs(value));
  const most = (values, least) => values.reduce((a, b) => Math.max(a, Math.abs(b)), least);
  const largest = most(microampere, 0) || 1;
  // towards 0 V the logarithm falls without end: the line begins and ends before
  const driven = data.curve.voltage.map((volt) => Math.abs(volt) > 0.03 * most(data.curve.voltage, 0));
  const least = microampere.reduce((a, b, k) => (b > 0 && driven[k] ? Math.min(a, b) : a), largest);
  const decades = [Math.max(least, largest * 1e-4), largest];
  const span = most(data.curve.voltage, 0.1) * 1.08;
  const frame = {};
  let ring;

  const curveX = (volt) => frame.left + frame.w * (volt + span) / (2 * span);
  function curveY(current) {
    const low = Math.log10(decades[0] * 0.6), high = Math.log10(decades[1] * 2);
    const share = (Math.log10(Math.max(current, decades[0] * 0.6)) - low) / (high - low);
    return frame.top + frame.h * (1 - share);
  }
  const spot = (step) => [curveX(data.curve.voltage[step]), curveY(microampere[step])];

  function drawCurve() {
    const width = Math.max(280, Math.floor(curve.parentNode.clientWidth));
    const height = Math.round(Math.min(430, Math.max(260, width * 0.68)));
    Object.assign(frame, { left: 58, top: 10, w: width - 70, h: height - 56 });
    curve.replaceChildren();
    curve.setAttribute("viewBox", `0 0 ${width} ${height}`);
    curve.style.height = `${height}px`;
    const floor = frame.top + frame.h, grid = element("g", { class: "grid" }, curve);
    const words = element("g", { class: "words" }, curve);
    for (const volt of ticks(-span, span, frame.w / 70)) {
      const x = curveX(volt);
      element("line", { x1: x, x2: x, y1: frame.top, y2: floor }, grid);
      element("text", { x, y: floor + 16, "text-anchor": "middle" }, words, shown(volt));
    }
    for (let power = Math.ceil(Math.log10(decades[0] * 0.6)); 10 ** power <= decades[1] * 2; power++) {
      const y = curveY(10 ** power);
      element("line", { x1: frame.left, x2: frame.left + frame.w, y1: y, y2: y }, grid);
      element("text", { x: frame.left - 6, y: y + 4, "text-anchor": "end" }, words, shown(10 ** power));
    }
    element("rect", { x: frame.left, y: frame.top, width: frame.w, height: frame.h }, grid);
    const middle = frame.left + frame.w / 2;
    element("text", { x: middle, y: height - 6, "text-anchor": "middle" }, words, data.curve.label);
    element("text", { x: 0, y: 0, "text-anchor": "middle",
      transform: `translate(13 ${frame.top + frame.h / 2}) rotate(-90)` }, words, "|Current| (µA)");
    for (const branch of data.curve.branches) {
      const points = [];
      for (let k = branch.start; k < branch.stop; k++) if (driven[k]) points.push(spot(k).join(","));
      element("polyline", { points: points.join(" "), stroke: branch.colour, fill: "none",
        "stroke-width": branch.later ? 1 : 2, "stroke-dasharray": branch.outward ? "none" : "7 3" },
      curve);
    }
    for (const instant of data.instants.filter((one) => driven[one.step])) {
      const [cx, cy] = spot(instant.step);
      element("circle", { cx, cy, r: 2.4, class: "dot" }, curve);
    }
    ring = element("circle", { r: 11, class: "ring" }, curve);
    for (const instant of data.instants.filter((one) => one.point)) {
      const [x, y] = spot(instant.step);
      element("circle", { cx: x, cy: y, r: 7.5, class: "disc", stroke: instant.colour }, curve);
      element("text", { x, y: y + 4, class: "letter", "text-anchor": "middle" }, curve, instant.point);
    }
  }

  function nearest(event) {
    const box = curve.getBoundingClientRect();
    const width = curve.viewBox.baseVal.width, height = curve.viewBox.baseVal.height;
    const x = (event.clientX - box.left) * width / box.width;
    const y = (event.clientY - box.top) * height / box.height;
    let best = state.at, least = Infinity;
    data.instants.forEach((instant, k) => {
      const [px, py] = spot(instant.step);
      const distance = Math.hypot(px - x, py - y) - (instant.point ? 4 : 0);
      if (distance < least) [best, least] = [k, distance];
    });
    return best;
  }

  // ---- what is shown

  function rangeOf(field) {
    return scale.value === "instant" ? field.range(state.at) : [field.given.low, field.given.high];
  }

  function drawMaps() {
    const probe = state.over || state.pinned;
    maps.forEach((map) => map.draw(state.at, rangeOf(map.field), probe));
    const r = place(data.plane.r, Math.abs(probe.r)), z = place(data.plane.z, probe.z);
    const values = fields.map((field) => {
      const value = field.value(state.at, r, z);
      if (Number.isNaN(value)) return `no ${field.given.symbol}`;
      const times = field.given.unit.startsWith("10") ? "× " : "";
      return `${field.given.symbol} = ${shown(value)} ${times}${field.given.unit}`;
    });
    const layer = data.plane.layers.find((one) => probe.z >= one.bottom && probe.z <= one.top);
    probed.textContent = `At the cross, r = ${shown(Math.abs(probe.r))} nm, z = ${shown(probe.z)} nm`
      + `${layer ? ` (${layer.name})` : ""}: ${values.join(", ")}`;
  }

  function show(at) {
    state.at = Math.max(0, Math.min(count - 1, at));
    const instant = data.instants[state.at];
    slider.value = String(state.at);
    const [x, y] = spot(instant.step);
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    for (const [name, text] of Object.entries(instant.told)) find(`value-${name}`).textContent = text;
    const name = instant.point ? `${instant.point}, ${instant.meaning}` : "between the marked points";
    told.textContent = `Instant ${state.at + 1} of ${count}: ${name}`;
    const words = `${told.textContent}; ${instant.told.voltage}, ${instant.told.current}`;
    for (const control of [slider, curve]) control.setAttribute("aria-valuetext", words);
    curve.setAttribute("aria-valuenow", String(state.at + 1));
    canvases.forEach((canvas, k) => {
      const [low, high] = fields[k].range(state.at), given = fields[k].given;
      canvas.setAttribute("aria-label", `${given.name}, ${told.textContent.toLowerCase()}: `
        + `${shown(low)} to ${shown(high)} ${given.unit}. Arrow keys move the cross.`);
    });
    for (const button of viewer.querySelectorAll("button[data-instant]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.instant) === state.at));
    }
    drawMaps();
  }

  // ---- controls

  function stop() {
    window.clearInterval(state.timer);
    state.timer = 0;
    play.textContent = "Play";
  }
  const pick = (at) => { stop(); show(at); };

  play.addEventListener("click", () => {
    if (state.timer) { stop(); return; }
    if (state.at === count - 1) show(0);
    state.timer = window.setInterval(() => {
      show(state.at + 1);
      if (state.at === count - 1) stop();
    }, 150);
    play.textContent = "Stop";
  });
  slider.addEventListener("input", () => pick(Number(slider.value)));
  for (const button of viewer.querySelectorAll("button[data-instant]")) {
    button.addEventListener("click", () => pick(Number(button.dataset.instant)));
  }
  curve.addEventListener("pointerdown", (event) => {
    pick(nearest(event));
    curve.setPointerCapture(event.pointerId);
  });
  curve.addEventListener("pointermove", (event) => { if (event.buttons) pick(nearest(event)); });
  curve.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -8, PageUp: 8,
      Home: -count, End: count };
    if (!(event.key in steps)) return;
    event.preventDefault();
    pick(state.at + steps[event.key]);
  });
  part.addEventListener("change", layOut);
  scale.addEventListener("change", drawMaps);
  maps.forEach((map) => {
    const canvas = map.canvas;
    canvas.addEventListener("pointermove", (event) => { state.over = map.under(event); drawMaps(); });
    canvas.addEventListener("pointerleave", () => { state.over = null; drawMaps(); });
    canvas.addEventListener("pointerdown", (event) => {
      state.pinned = map.under(event) || state.pinned;
      drawMaps();
    });
    canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
      if (!(event.key in moves)) return;
      event.preventDefault();
      const [left, right, bottom, top] = map.part, [dr, dz] = moves[event.key];
      const pace = (right - left) / (event.shiftKey ? 10 : 60);
      state.over = null;
      state.pinned = {
        r: Math.max(left, Math.min(right, state.pinned.r + dr * pace)),
        z: Math.max(bottom, Math.min(top, state.pinned.z + dz * pace)),
      };
      drawMaps();
    });
  });

  function layOut() {
    maps.forEach((map) => map.fit(data.plane.parts[part.value]));
    drawMaps();
  }
  let width = 0;
  function fit() {
    if (viewer.clientWidth === width) return;
    width = viewer.clientWidth;
    drawCurve();
    maps.forEach((map) => map.fit(data.plane.parts[part.value]));
    show(state.at);
  }
  viewer.hidden = false;
  fit();
  window.addEventListener("resize", fit);
})();
