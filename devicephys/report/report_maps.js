"use strict";
// Maps of a field on the r-z plane, drawn on a canvas: mirrored at the axis, with axes in nm, layer
// boundaries, a colour bar, and a cross at the probed place. Used by report_viewer.js.
const ddkMaps = (() => {
  const LEFT = 46, RIGHT = 12, TOP = 6, AXIS = 36, BAR = 12, BAR_TEXT = 20;
  const FONT = '12px system-ui, "DejaVu Sans", sans-serif';
  const EMPTY = 65535;  // no value: electrodes hold no vacancies

  function bytes(text) {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }

  /** Round steps that cut low..high into at most `most` pieces. */
  function ticks(low, high, most) {
    const rough = (high - low) / most;
    if (!(rough > 0)) return [low];
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * (1 - 1e-9));
    const out = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
      out.push(Number((k * step).toPrecision(12)));
    }
    return out;
  }

  const shown = (value, digits = 3) => {
    if (value === null || !Number.isFinite(value)) return "–";
    const text = value === 0 ? "0" : String(Number(value.toPrecision(digits)));
    return text.replace("-", "−");
  };

  /** Cell of the nodes in which x lies, and how far it is into it, 0 to 1; null outside. */
  function place(nodes, x) {
    const last = nodes.length - 1;
    if (x < nodes[0] || x > nodes[last]) return null;
    let low = 0, high = last;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (nodes[middle] <= x) low = middle; else high = middle;
    }
    return { cell: low, share: (x - nodes[low]) / (nodes[low + 1] - nodes[low]) };
  }

  /** One field at all instants: its values, and its smallest and largest at one instant. */
  class Field {
    constructor(given, plane) {
      this.plane = plane;
      this.given = given;
      this.columns = given.on === "cells" ? plane.r.length - 1 : plane.r.length;
      this.rows = given.on === "cells" ? plane.z.length - 1 : plane.z.length;
      const raw = bytes(given.codes);
      this.codes = new Uint16Array(raw.buffer, 0, raw.length >> 1);  // little-endian, as written
      this.step = (given.high - given.low) / 65534;
      this.colours = bytes(given.colours);
    }

    at(instant, row, column) {
      const code = this.codes[(instant * this.rows + row) * this.columns + column];
      return code === EMPTY ? NaN : this.given.low + code * this.step;
    }

    /** Value at two places as `place` gives them: of the cell, or between its four nodes. */
    value(instant, r, z) {
      if (!r || !z) return NaN;
      if (this.given.on === "cells") return this.at(instant, z.cell, r.cell);
      const below = this.at(instant, z.cell, r.cell) * (1 - r.share)
        + this.at(instant, z.cell, r.cell + 1) * r.share;
      const above = this.at(instant, z.cell + 1, r.cell) * (1 - r.share)
        + this.at(instant, z.cell + 1, r.cell + 1) * r.share;
      return below * (1 - z.share) + above * z.share;
    }

    range(instant) {
      const size = this.rows * this.columns;
      let low = EMPTY, high = -1;
      for (let k = instant * size; k < (instant + 1) * size; k++) {
        const code = this.codes[k];
        if (code === EMPTY) continue;
        if (code < low) low = code;
        if (code > high) high = code;
      }
      if (high < 0) return [this.given.low, this.given.high];
      return [this.given.low + low * this.step, this.given.low + high * this.step];
    }
  }

  class FieldMap {
    constructor(canvas, field, plane) {
      this.canvas = canvas;
      this.field = field;
      this.plane = plane;
    }

    /** Fit the canvas to its place and to the part of the plane, both axes to the same scale. */
    fit(part) {
      const [left, right, bottom, top] = part;
      const width = Math.max(200, Math.floor(this.canvas.parentNode.clientWidth));
      const room = width - LEFT - RIGHT;
      const scale = Math.min(room / (right - left), 460 / (top - bottom));
      const inner = Math.round((right - left) * scale);
      const box = { x: LEFT + Math.floor((room - inner) / 2), y: TOP, w: inner };
      box.h = Math.round((top - bottom) * scale);
      const height = TOP + box.h + AXIS + BAR + BAR_TEXT;
      const dots = Math.min(window.devicePixelRatio || 1, 2);
      this.canvas.style.height = `${height}px`;
      this.canvas.width = Math.round(width * dots);
      this.canvas.height = Math.round(height * dots);
      Object.assign(this, { part, width, height, box, dots, scale });
      this.cellsX = Array.from({ length: Math.round(box.w * dots) }, (_, k) =>
        place(this.plane.r, Math.abs(left + (k + 0.5) / dots / scale)));
      this.cellsY = Array.from({ length: Math.round(box.h * dots) }, (_, k) =>
        place(this.plane.z, top - (k + 0.5) / dots / scale));
    }

    /** The place in the plane under a pointer, in nm; null outside the map. */
    under(event) {
      const frame = this.canvas.getBoundingClientRect();
      const x = (event.clientX - frame.left) * this.width / frame.width - this.box.x;
      const y = (event.clientY - frame.top) * this.height / frame.height - this.box.y;
      if (x < 0 || y < 0 || x > this.box.w || y > this.box.h) return null;
      return { r: this.part[0] + x / this.scale, z: this.part[3] - y / this.scale };
    }

    draw(instant, range, probe) {
      const pen = this.canvas.getContext("2d");
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
      this.paint(pen, instant, range);
      pen.setTransform(this.dots, 0, 0, this.dots, 0, 0);
      pen.font = FONT;
      this.outlines(pen);
      if (probe) this.cross(pen, probe);
      this.axes(pen);
      this.bar(pen, range);
    }

    paint(pen, instant, [low, high]) {
      const { field, cellsX, cellsY } = this, colours = field.colours;
      if (!cellsX.length || !cellsY.length) return;
      const image = pen.createImageData(cellsX.length, cellsY.length), out = image.data;
      const factor = high > low ? 255 / (high - low) : 0;
      let at = 0;
      for (let y = 0; y < cellsY.length; y++) {
        for (let x = 0; x < cellsX.length; x++, at += 4) {
          const value = field.value(instant, cellsX[x], cellsY[y]);
          out[at + 3] = 255;
          if (Number.isNaN(value)) {  // hatched, so that no grey print takes it for a shade
            const shade = (x + y) % Math.round(8 * this.dots) < this.dots ? 190 : 250;
            out[at] = out[at + 1] = out[at + 2] = shade;
          } else {
            const k = 3 * Math.max(0, Math.min(255, Math.round((value - low) * factor)));
            out[at] = colours[k]; out[at + 1] = colours[k + 1]; out[at + 2] = colours[k + 2];
          }
        }
      }
      pen.putImageData(image, Math.round(this.box.x * this.dots), Math.round(this.box.y * this.dots));
    }

    x(r) { return this.box.x + (r - this.part[0]) * this.scale; }
    y(z) { return this.box.y + (this.part[3] - z) * this.scale; }

    /** A line that is seen on light and on dark ground. */
    line(pen, points, dash = []) {
      for (const [colour, width] of [["rgba(0,0,0,.55)", 2.6], ["#fff", 1.2]]) {
        pen.strokeStyle = colour; pen.lineWidth = width; pen.setLineDash(dash);
        pen.beginPath();
        points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
        pen.stroke();
      }
      pen.setLineDash([]);
    }

    outlines(pen) {
      const { box, plane, part } = this;
      pen.save();
      pen.beginPath(); pen.rect(box.x, box.y, box.w, box.h); pen.clip();
      for (const layer of plane.layers) {
        const y = this.y(layer.bottom);
        this.line(pen, [[box.x, y], [box.x + box.w, y]]);
        const low = Math.max(layer.bottom, part[2]), high = Math.min(layer.top, part[3]);
        if ((high - low) * this.scale > 18) {
          pen.textAlign = "right"; pen.textBaseline = "middle"; pen.lineJoin = "round";
          const where = [layer.name, box.x + box.w - 5, this.y((low + high) / 2)];
          pen.strokeStyle = "rgba(0,0,0,.7)"; pen.lineWidth = 3; pen.strokeText(...where);
          pen.fillStyle = "#fff"; pen.fillText(...where);
        }
      }
      const f = plane.filament;
      this.line(pen, [[-f.radius, f.bottom], [-f.radius, f.top], [f.radius, f.top],
        [f.radius, f.bottom], [-f.radius, f.bottom]].map(([r, z]) => [this.x(r), this.y(z)]), [6, 4]);
      pen.restore();
    }

    cross(pen, { r, z }) {
      const { box, part } = this;
      if (r < part[0] || r > part[1] || z < part[2] || z > part[3]) return;
      const x = this.x(r), y = this.y(z);
      pen.save();
      pen.beginPath(); pen.rect(box.x, box.y, box.w, box.h); pen.clip();
      for (const [dx, dy] of [[9, 0], [0, 9]]) {
        this.line(pen, [[x - dx, y - dy], [x - dx / 3, y - dy / 3]]);
        this.line(pen, [[x + dx / 3, y + dy / 3], [x + dx, y + dy]]);
      }
      pen.restore();
    }

    axes(pen) {
      const { box, part } = this, floor = box.y + box.h;
      pen.strokeStyle = "#444"; pen.fillStyle = "#222"; pen.lineWidth = 1;
      pen.strokeRect(box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1);
      pen.beginPath();
      pen.textAlign = "center"; pen.textBaseline = "top";
      for (const r of ticks(part[0], part[1], Math.max(2, box.w / 55))) {
        pen.moveTo(this.x(r), floor); pen.lineTo(this.x(r), floor + 4);
        pen.fillText(shown(r), this.x(r), floor + 6);
      }
      pen.textAlign = "right"; pen.textBaseline = "middle";
      for (const z of ticks(part[2], part[3], Math.max(2, box.h / 45))) {
        pen.moveTo(box.x - 4, this.y(z)); pen.lineTo(box.x, this.y(z));
        pen.fillText(shown(z), box.x - 6, this.y(z));
      }
      pen.stroke();
      pen.textAlign = "center"; pen.textBaseline = "top";
      pen.fillText("r (nm)", box.x + box.w / 2, floor + 20);
      pen.save();
      pen.translate(box.x - 34, box.y + box.h / 2); pen.rotate(-Math.PI / 2);
      pen.textBaseline = "middle"; pen.fillText("z (nm)", 0, 0);
      pen.restore();
    }

    bar(pen, [low, high]) {
      const x = LEFT, w = this.width - LEFT - RIGHT, y = this.height - BAR - BAR_TEXT + 2;
      const colours = this.field.colours;
      for (let k = 0; k < 256; k++) {
        pen.fillStyle = `rgb(${colours[3 * k]},${colours[3 * k + 1]},${colours[3 * k + 2]})`;
        pen.fillRect(x + w * k / 256, y, w / 256 + 0.7, BAR);
      }
      pen.strokeStyle = "#444"; pen.fillStyle = "#222"; pen.lineWidth = 1;
      pen.strokeRect(x + 0.5, y + 0.5, w - 1, BAR - 1);
      pen.textBaseline = "top"; pen.textAlign = "center";
      if (!(high > low)) {
        pen.fillText(shown(low), x + w / 2, y + BAR + 4);
        return;
      }
      for (const value of ticks(low, high, 5)) {
        const at = x + w * (value - low) / (high - low);
        pen.beginPath(); pen.moveTo(at, y + BAR); pen.lineTo(at, y + BAR + 3); pen.stroke();
        pen.fillText(shown(value, 4), at, y + BAR + 4);
      }
    }
  }

  return { Field, FieldMap, place, shown, ticks };
})();
