// The waveform viewer: signals over cycles, as waveforms.py puts them into `content`.
// Cycle c lies between rising edges c and c + 1. Only what the window shows is drawn, at most a piece every 6 px.

const ROW = 30; // px; rows of .names and .values have this height too
const LEAST_PIECE = 6; // px; shorter ones are drawn as one block
const CHARACTER = 7; // px that a character of a value takes
const RADICES = { hex: "hex", signed: "± dec", unsigned: "dec", binary: "bin" };
const FORMAT = {
  hex: (value, bits) => value.toString(16).padStart(Math.ceil(bits / 4), "0"),
  signed: (value, bits) => BigInt.asIntN(bits, value).toString(),
  unsigned: (value) => value.toString(),
  binary: (value, bits) => value.toString(2).padStart(bits, "0"),
};

// Index of the last entry of a sorted list that is at most `wanted`.
function lastUpTo(sorted, wanted) {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle] <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}

let made = 0; // waveforms on this page, each of which has a hatch of its own

class Waves {
  constructor(content, root) {
    this.hatch = `lab-waits-${made++}`;
    this.content = content;
    this.total = content.cycles;
    this.scale = 0; // px a cycle
    this.first = 0; // the cycle at the left edge, not always whole
    this.cursor = content.cursor;
    this.selected = Math.max(0, content.rows.findIndex((row) => row.kind === "bus"));
    this.all = content.rows.map((row) => ({ ...row, radix: row.radix ?? "hex" }));
    this.rows = this.all;
    this.build(root);
  }

  get shown() { return this.width / this.scale; }
  x(cycle) { return (cycle - this.first) * this.scale; }

  // ---- building, once

  build(root) {
    const { content } = this;
    this.box = card(`Waveform of ${content.title}`, content.title, content.subtitle);
    this.box.classList.add("lab-waves");
    this.names = element("div", "names", "", { role: "listbox", "aria-label": "Signals; arrow keys move" });
    this.values = element("div", "values");
    this.ruler = element("div", "ruler");
    this.plot = element("div", "plot", "", { tabindex: 0, role: "application", "aria-label": "Signals over cycles. Left and right move the cursor, with shift to the next change of the chosen signal; up and down choose a signal; plus and minus zoom." });
    this.overview = element("div", "overview", "", { "aria-hidden": "true" });
    this.overview.append(element("i"));
    const grid = element("div", "grid");
    grid.append(element("div", "head", "signal"), this.valueHead = element("div", "head right"), this.ruler, this.names, this.values, this.plot);
    this.scroller = element("div", "scrolls");
    this.scroller.append(grid);
    this.status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    this.box.append(this.buildTools(), this.scroller, this.overview, this.status);
    this.buildRows();
    this.listen();
    root.replaceChildren(this.box);
  }

  buildTools() {
    const tools = element("div", "tools");
    const radix = element("select", "tool", "", { "aria-label": "Radix of all values" });
    radix.append(element("option", "", "radix", { value: "", disabled: "", selected: "" }));
    for (const [name, label] of Object.entries(RADICES)) radix.append(element("option", "", label, { value: name }));
    radix.addEventListener("change", () => { this.all.forEach((row) => { row.radix = radix.value; }); radix.value = ""; this.draw(); });
    const find = element("input", "tool find", "", { type: "search", placeholder: "Find signals", "aria-label": "Show only signals with this in their name" });
    find.addEventListener("input", () => this.find(find.value.toLowerCase()));
    tools.append(
      button("tool", "−", "Zoom out", () => this.zoom(1 / 1.6)), button("tool", "+", "Zoom in", () => this.zoom(1.6)),
      button("tool", "fit", "Show all cycles", () => this.zoom(0)), element("span", "gap"),
      button("tool", "⇤", "To the previous change of the chosen signal", () => this.jump(-1)),
      button("tool", "⇥", "To the next change of the chosen signal", () => this.jump(1)), element("span", "gap"), radix, find);
    return tools;
  }

  buildRows() {
    this.names.replaceChildren(...this.rows.map((row, index) => {
      const name = element("div", `name ${row.kind}`, row.name, { role: "option", title: row.bits > 1 ? `${row.name}, ${row.bits} bits` : row.name });
      if (row.bits > 1) name.append(element("small", "", `${row.bits}`));
      name.addEventListener("click", () => { this.selected = index; this.draw(); });
      return name;
    }));
    this.values.replaceChildren(...this.rows.map((row) => {
      const cell = element(row.kind === "bus" ? "button" : "div", "value", "", row.kind === "bus" ? { type: "button", title: "Change the radix" } : {});
      cell.append(element("b"), element("small"));
      if (row.kind === "bus") cell.addEventListener("click", () => this.turn(row));
      return cell;
    }));
    this.plot.style.height = `${this.rows.length * ROW}px`;
  }

  find(part) {
    this.rows = this.all.filter((row) => row.name.toLowerCase().includes(part));
    this.selected = 0;
    this.buildRows();
    this.draw();
  }

  turn(row) {
    const names = Object.keys(RADICES);
    row.radix = names[(names.indexOf(row.radix) + 1) % names.length];
    this.draw();
  }

  listen() {
    const { plot } = this;
    this.scroller.addEventListener("scroll", () => this.later());
    plot.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    plot.addEventListener("keydown", (event) => this.key(event));
    let held = null;
    plot.addEventListener("pointerdown", (event) => { held = { x: event.clientX, first: this.first, moved: false }; plot.setPointerCapture(event.pointerId); });
    plot.addEventListener("pointermove", (event) => {
      if (!held) return;
      held.moved ||= Math.abs(event.clientX - held.x) > 3;
      if (held.moved) this.pan(held.first - (event.clientX - held.x) / this.scale);
    });
    plot.addEventListener("pointerup", (event) => {
      const box = plot.getBoundingClientRect();
      if (held && !held.moved) {
        this.selected = Math.min(this.rows.length - 1, Math.floor((event.clientY - box.top) / ROW));
        this.moveTo(Math.floor(this.first + (event.clientX - box.left) / this.scale));
      }
      held = null;
    });
    const slide = (event) => event.buttons && this.pan((event.clientX - this.overview.getBoundingClientRect().left) / this.overview.clientWidth * this.total - this.shown / 2);
    this.overview.addEventListener("pointerdown", (event) => { this.overview.setPointerCapture(event.pointerId); slide(event); });
    this.overview.addEventListener("pointermove", slide);
  }

  // ---- moving

  // The page keeps its wheel until the reader has clicked into the widget.
  wheel(event) {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!sideways && !event.ctrlKey && !this.box.contains(document.activeElement)) return;
    keep(event);
    if (sideways) this.pan(this.first + (event.deltaX || event.deltaY) / this.scale);
    else this.zoom(Math.exp(-event.deltaY * 0.002), event.clientX - this.plot.getBoundingClientRect().left);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const up = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step) event.shiftKey ? this.jump(step) : this.moveTo(this.cursor + step);
    else if (up) this.choose(this.selected + up);
    else if (event.key === "Home") this.moveTo(0);
    else if (event.key === "End") this.moveTo(this.total - 1);
    else if (event.key === "+" || event.key === "=") this.zoom(1.6);
    else if (event.key === "-") this.zoom(1 / 1.6);
    else if (event.key === "0") this.zoom(0);
    else if (event.key === "r" && this.rows[this.selected]?.kind === "bus") this.turn(this.rows[this.selected]);
    else return;
    keep(event);
  }

  choose(index) {
    this.selected = Math.max(0, Math.min(this.rows.length - 1, index));
    this.names.children[this.selected]?.scrollIntoView({ block: "nearest" });
    this.draw();
  }

  // Zooms around a place in px, or around the cursor if it is in view; a factor of 0 shows everything.
  zoom(factor, at = this.x(this.cursor + 0.5)) {
    const place = at >= 0 && at <= this.width ? at : this.width / 2;
    const cycle = this.first + place / this.scale;
    this.scale = Math.max(this.width / this.total, Math.min(160, this.scale * factor));
    this.pan(cycle - place / this.scale);
  }

  pan(first) {
    this.first = Math.max(0, Math.min(this.total - this.shown, first));
    this.later();
  }

  moveTo(cycle) {
    this.cursor = Math.max(0, Math.min(this.total - 1, cycle));
    const margin = Math.min(2, this.shown / 4);
    if (this.cursor < this.first + margin) this.pan(this.cursor - margin);
    else if (this.cursor + 1 > this.first + this.shown - margin) this.pan(this.cursor + 1 + margin - this.shown);
    this.draw();
  }

  jump(direction) {
    const changes = this.rows[this.selected]?.cycles ?? [];
    const at = lastUpTo(changes, this.cursor);
    const next = direction > 0 ? changes[at + 1] : changes[at] < this.cursor ? changes[at] : changes[at - 1];
    if (next !== undefined) this.moveTo(next);
  }

  // ---- drawing

  later() {
    this.frame ??= requestAnimationFrame(() => { this.frame = undefined; this.draw(); });
  }

  layOut() {
    this.width = Math.max(80, this.plot.clientWidth);
    const opened = this.scale > 0;
    this.scale = Math.max(this.width / this.total, this.scale || Math.min(44, this.width / Math.min(this.total, 16)));
    this.pan(this.first);
    if (opened) this.draw();
    else this.moveTo(this.cursor);
  }

  draw() {
    if (!this.width) return;
    const top = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - 1);
    const seen = this.rows.slice(top, top + Math.ceil(this.scroller.clientHeight / ROW) + 1);
    const rows = seen.map((row, index) => `<g transform="translate(0 ${(top + index) * ROW})">${this.row(row)}</g>`);
    const height = this.rows.length * ROW;
    const chosen = `<rect class="chosen" y="${this.selected * ROW}" width="${this.width}" height="${ROW}"/>`;
    const cursor = `<rect class="cursor" x="${this.x(this.cursor)}" width="${Math.max(1.5, this.scale)}" height="${height}"/>`;
    this.plot.innerHTML = `<svg width="${this.width}" height="${height}" aria-hidden="true"><defs><pattern id="${this.hatch}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="waits-card" width="6" height="6"/><rect class="waits-line" width="2" height="6"/></pattern></defs>${chosen}${this.edges(height)}${cursor}${rows.join("")}</svg>`;
    this.ruler.innerHTML = `<svg width="${this.width}" height="${ROW}" aria-hidden="true">${this.ticks()}</svg>`;
    this.paintColumns();
    const window = this.overview.firstChild;
    window.style.left = `${100 * this.first / this.total}%`;
    window.style.width = `${100 * this.shown / this.total}%`;
  }

  paintColumns() {
    this.valueHead.textContent = `at ${this.cursor}`;
    this.rows.forEach((row, index) => {
      const name = this.names.children[index];
      name.classList.toggle("on", index === this.selected);
      name.setAttribute("aria-selected", index === this.selected);
      this.values.children[index].classList.toggle("on", index === this.selected);
      const [value, radix] = this.values.children[index].children;
      value.textContent = this.valueAt(row, this.cursor);
      radix.textContent = row.kind === "bus" ? RADICES[row.radix] : "";
    });
    const row = this.rows[this.selected];
    const moving = this.all.filter((each) => each.kind === "handshake").map((each) => `${each.name}: ${this.valueAt(each, this.cursor) || "none moves"}`);
    const value = row?.values ? [`${row.name} = ${this.valueAt(row, this.cursor)}`] : [];
    this.status.textContent = `Cycle ${this.cursor} of ${this.total}. ${[...moving, ...value].join("; ")}`;
  }

  valueAt(row, cycle) {
    if (row.kind === "clock") return "↑";
    if (row.kind === "handshake") {
      const span = row.spans.find(([start, end]) => start <= cycle && cycle < end);
      return !span ? "" : span[2] === "waits" ? "waits" : `no. ${span[3] + (span[2] === "moves" ? cycle - span[0] : 0)}`;
    }
    return this.text(row, lastUpTo(row.cycles, cycle));
  }

  text(row, index) {
    const value = BigInt(`0x${row.values[index]}`);
    return row.bits === 1 ? value.toString() : FORMAT[row.radix](value, row.bits);
  }

  ticks() {
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 1e5].find((each) => each * this.scale >= 36) ?? 1e6;
    const ticks = [];
    for (let cycle = Math.ceil(this.first / step) * step; cycle <= Math.min(this.total - 1, this.first + this.shown); cycle += step) {
      ticks.push(`<path class="tick" d="M${this.x(cycle)} 24v6"/><text class="tick-label" x="${this.x(cycle) + (step === 1 ? this.scale / 2 : 0)}" y="19" text-anchor="${step === 1 ? "middle" : "start"}">${cycle}</text>`);
    }
    return ticks.join("");
  }

  edges(height) {
    if (this.scale < 7) return "";
    let path = "";
    for (let cycle = Math.ceil(this.first); cycle <= this.first + this.shown; cycle++) path += `M${this.x(cycle).toFixed(1)} 0V${height}`;
    return `<path class="edges" d="${path}"/>`;
  }

  row(row) {
    if (row.kind === "clock") return this.clock();
    if (row.kind === "handshake") return this.handshake(row);
    return row.bits === 1 ? this.line(row) : this.bus(row);
  }

  clock() {
    if (this.scale < 7) return `<rect class="dense" y="9" width="${this.width}" height="12"/>`;
    let path = "";
    for (let cycle = Math.floor(this.first); cycle <= this.first + this.shown; cycle++) path += `M${this.x(cycle)} 22V8h${this.scale / 2}V22h${this.scale / 2}`;
    return `<path class="wire" d="${path}"/>`;
  }

  // The pieces of a signal that the window shows: from, to, index of the value, and whether several are one.
  pieces(row) {
    const found = [];
    const end = Math.min(this.total, this.first + this.shown);
    let index = lastUpTo(row.cycles, this.first);
    while (index < row.cycles.length && row.cycles[index] < end) {
      const start = row.cycles[index];
      const next = row.cycles[index + 1] ?? this.total;
      if ((next - start) * this.scale >= LEAST_PIECE || next === this.total) {
        found.push([this.x(start), this.x(next), index, false]);
        index += 1;
      } else {
        const last = lastUpTo(row.cycles, start + LEAST_PIECE / this.scale);
        const to = this.x(row.cycles[last]);
        if (found.at(-1)?.[3]) found.at(-1)[1] = to;
        else found.push([this.x(start), to, index, true]);
        index = last;
      }
    }
    return found;
  }

  line(row) {
    let path = "";
    let blocks = "";
    let fill = "";
    let level = null;
    for (const [from, to, index, dense] of this.pieces(row)) {
      if (dense) {
        blocks += `<rect class="dense" x="${from}" y="8" width="${to - from}" height="14"/>`;
        level = null;
        continue;
      }
      const y = row.values[index] === "1" ? 8 : 22;
      path += level === null ? `M${from} ${y}H${to}` : `V${y}H${to}`;
      if (y === 8) fill += `M${from} 22V8H${to}V22z`;
      level = y;
    }
    return `<path class="high" d="${fill}"/>${blocks}<path class="wire" d="${path}"/>`;
  }

  bus(row) {
    let path = "";
    let blocks = "";
    let labels = "";
    for (const [from, to, index, dense] of this.pieces(row)) {
      if (dense) { blocks += `<rect class="dense" x="${from}" y="6" width="${to - from}" height="18"/>`; continue; }
      const slope = Math.min(4, (to - from) / 2);
      path += `M${from} 15l${slope} -9H${to - slope}L${to} 15l${-slope} 9H${from + slope}z`;
      const left = Math.max(0, from);
      const room = Math.min(this.width, to) - left - 6;
      const text = room > CHARACTER ? this.text(row, index) : "";
      if (text && text.length * CHARACTER <= room) labels += `<text class="label" x="${left + 3 + room / 2}" y="19" text-anchor="middle">${text}</text>`;
    }
    return `${blocks}<path class="hexagon" d="${path}"/>${labels}`;
  }

  handshake(row) {
    const shown = row.spans.filter(([start, end]) => end > this.first && start < this.first + this.shown);
    return shown.map(([start, end, state, count]) => {
      const from = this.x(start);
      const width = Math.max(1, this.x(end) - from);
      let inside = "";
      if (state === "moves" && this.scale >= 16) {
        for (let cycle = Math.max(start, Math.floor(this.first)); cycle < Math.min(end, this.first + this.shown); cycle++) {
          inside += `<text class="moved" x="${this.x(cycle + 0.5)}" y="19" text-anchor="middle">${count + cycle - start}</text>`;
          if (cycle > start) inside += `<path class="parted" d="M${this.x(cycle)} 7v16"/>`;
        }
      }
      if (state === "runs" && width > 3 * CHARACTER) inside = `<text class="moved" x="${Math.max(0, from) + Math.min(width, this.width) / 2}" y="19" text-anchor="middle">${count}</text>`;
      return `<rect class="${state}" ${state === "waits" ? `fill="url(#${this.hatch})"` : ""} x="${from + 0.5}" y="7" width="${Math.max(0.5, width - 1)}" height="16" rx="2"/>${inside}`;
    }).join("");
  }
}

export default {
  render({ model, el }) {
    const waves = new Waves(model.get("content"), el);
    // Widths exist only once the browser has laid the widget out.
    const observer = new ResizeObserver(() => waves.layOut());
    observer.observe(waves.plot);
    return () => observer.disconnect();
  },
};
