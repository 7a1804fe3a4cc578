// The compile-stage viewer: a kernel's source on the left, one stage of one compilation on the right.
// `content` comes from stage_viewer.py; nothing is written back. Lines count from 1, as the maps do.

const ROW = 20; // px; .stage-row has this height, which lets only the rows in view be built
const OVERSCAN = 12; // rows built above and below the view
const STAGE_NAMES = { ttir: "TTIR", ttgir: "TTGIR", llir: "LLVM", ptx: "PTX", sass: "SASS" };
const MARKS = { matrix: "◆", global: "●", shared: "○", spill: "▼", barrier: "▮", special: "ƒ" };
// What to set in bold in a line whose kind is known: its first opcode, guards such as @!P0 passed over.
const TRITON_OPCODE = /\b(?:tt|ttg|ttng|math|gpu)\.[\w.]+/;
const OPCODE = { ttir: TRITON_OPCODE, ttgir: TRITON_OPCODE, ptx: /(?<![@%\w])[a-z][\w.:]*/, sass: /(?<![@!])\b[A-Z][A-Z0-9]+(?:\.\w+)*/ };
const PYTHON = /(#.*)|("[^"]*"|'[^']*')|\b(def|for|in|if|else|elif|while|return|range|and|or|not|True|False|None)\b|\b(tl\.\w+)/g;

function appendHighlighted(parent, text, pattern, classOf) {
  let end = 0;
  for (const match of pattern.global ? text.matchAll(pattern) : [text.match(pattern)].filter(Boolean)) {
    parent.append(text.slice(end, match.index), element("span", classOf(match), match[0]));
    end = match.index + match[0].length;
  }
  parent.append(text.slice(end));
}

// Replaces a row of buttons and leaves the keyboard's focus on the same place.
function refill(parent, nodes) {
  const focused = [...parent.children].indexOf(document.activeElement);
  parent.replaceChildren(...nodes);
  parent.children[focused]?.focus();
}

class Viewer {
  constructor(content, root) {
    this.content = content;
    this.kinds = new Map(content.kinds);
    this.name = content.names[0];
    this.stage = this.compiled.order.at(-1);
    this.kind = "";
    this.query = "";
    this.hovered = 0;
    this.pinned = 0;
    this.build(root);
    this.show();
  }

  get compiled() { return this.content.compiled[this.name]; }
  get current() { return this.compiled.stages[this.stage]; }
  get line() { return this.pinned || this.hovered; }

  // ---- building, once

  build(root) {
    this.box = element("div", "lab-stages", "", { role: "group", "aria-label": `Compiler stages of ${this.content.kernel}` });
    this.targets = element("div", "targets", "", { role: "group", "aria-label": "Compilation" });
    const top = element("div", "top");
    top.append(element("h3", "", this.content.kernel), this.targets);
    this.facts = element("div", "facts");
    this.opcodes = element("div", "opcodes", "", { "aria-label": "Key instructions in the SASS" });
    this.status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    const panes = element("div", "panes");
    panes.append(this.buildSource(), this.buildStage());
    this.box.append(top, this.facts, this.opcodes, panes, this.status);
    this.box.addEventListener("keydown", (event) => event.key === "Escape" && this.pin(0));
    keepKeys(this.box);
    root.replaceChildren(this.box);
  }

  buildSource() {
    const pane = element("section", "pane source");
    const head = element("div", "pane-head");
    this.weightHead = element("span", "muted");
    head.append(element("span", "title", "Python source"), this.weightHead);
    this.source = element("div", "source-body", "", { tabindex: "0", role: "listbox", "aria-label": "Source lines; arrow keys move" });
    this.source.addEventListener("mouseleave", () => this.hover(0));
    this.source.addEventListener("keydown", (event) => this.step(event));
    pane.append(head, this.source);
    return pane;
  }

  buildStage() {
    const pane = element("section", "pane stage");
    this.tabs = element("div", "pane-head tabs", "", { role: "tablist", "aria-label": "Stage" });
    const tools = element("div", "tools");
    this.chips = element("div", "chips", "", { role: "group", "aria-label": "Show only" });
    this.search = element("input", "search", "", { type: "search", placeholder: "Find text", "aria-label": "Show only lines with this text" });
    this.search.addEventListener("input", () => { this.query = this.search.value.toLowerCase(); this.showLines(); });
    tools.append(this.chips, this.search);
    this.scroller = element("div", "stage-body", "", { tabindex: "0", role: "region", "aria-label": "Text of the stage" });
    this.canvas = element("div", "stage-canvas");
    this.scroller.append(this.canvas);
    this.scroller.addEventListener("scroll", () => requestAnimationFrame(() => this.paintRows()));
    this.scroller.addEventListener("mouseleave", () => this.hover(0));
    this.minimap = element("div", "minimap", "", { "aria-hidden": "true" });
    this.minimap.addEventListener("click", (event) => {
      const share = event.offsetY / this.minimap.clientHeight;
      this.scroller.scrollTop = share * this.canvas.clientHeight - this.scroller.clientHeight / 2;
    });
    const view = element("div", "stage-view");
    view.append(this.scroller, this.minimap);
    pane.append(this.tabs, tools, view);
    return pane;
  }

  // ---- showing a compilation, a stage, its lines

  show() {
    const { compiled, content } = this;
    refill(this.targets, content.names.map((name) => this.button("target", name, name === this.name, () => {
      this.name = name;
      if (!this.compiled.stages[this.stage]) this.stage = this.compiled.order.at(-1);
      this.pinned = Math.min(this.pinned, this.compiled.source.split("\n").length);
      this.show();
    })));
    const facts = [["registers a thread", compiled.registers], ["spilled a thread", compiled.spills],
      ["shared memory a program", compiled.shared], ["warps a program", compiled.warps]];
    this.facts.replaceChildren(...facts.map(([label, value]) => {
      const fact = element("div", "fact");
      fact.append(element("span", "value", String(value)), element("span", "label", label));
      return fact;
    }));
    this.opcodes.replaceChildren(...compiled.instructions.map(([opcode, count, kind]) => {
      const item = element("span", `opcode ${kind}`, "", { title: this.kinds.get(kind) });
      item.append(element("span", "mark", MARKS[kind]), `${opcode} `, element("b", "", String(count)));
      return item;
    }));
    this.showSource();
    this.showStage();
  }

  showSource() {
    const lines = this.compiled.source.replace(/\n$/, "").split("\n");
    this.sourceRows = lines.map((text, index) => {
      const row = element("div", "source-row", "", { role: "option", "aria-selected": "false" });
      const indent = text.match(/^ */)[0].length;
      const code = element("span", "code");
      code.style.paddingLeft = `${indent + 2}ch`;
      appendHighlighted(code, text.trimStart(), PYTHON, (match) => ["", "comment", "string", "keyword", "triton"][match.findIndex((part, i) => i && part)]);
      row.append(element("span", "number", String(index + 1)), code, element("span", "weight"));
      row.addEventListener("mouseenter", () => this.hover(index + 1, true));
      row.addEventListener("click", () => this.pin(this.pinned === index + 1 ? 0 : index + 1, true));
      return row;
    });
    this.source.replaceChildren(...this.sourceRows);
  }

  showStage() {
    refill(this.tabs, this.compiled.order.map((stage) => {
      const tab = this.button("tab", STAGE_NAMES[stage] ?? stage, stage === this.stage, () => { this.stage = stage; this.showStage(); });
      tab.append(element("span", "count", String(this.compiled.stages[stage].lines.length)));
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-selected", stage === this.stage);
      tab.removeAttribute("aria-pressed");
      return tab;
    }));
    const counts = {};
    for (const kind of this.current.kinds) counts[kind] = (counts[kind] ?? 0) + 1;
    if (!counts[this.kind]) this.kind = "";
    const kinds = this.content.kinds.filter(([kind]) => counts[kind]);
    refill(this.chips, kinds.map(([kind, name]) => {
      const chip = this.button(`chip ${kind}`, "", kind === this.kind, () => { this.kind = this.kind === kind ? "" : kind; this.showStage(); });
      chip.append(element("span", "mark", MARKS[kind]), name, element("span", "count", String(counts[kind])));
      return chip;
    }));
    this.weights = new Map();
    for (const line of this.current.map) this.weights.set(line, (this.weights.get(line) ?? 0) + 1);
    this.weightHead.textContent = `lines of ${STAGE_NAMES[this.stage] ?? this.stage}`;
    const most = Math.max(1, ...this.sourceRows.map((_, index) => this.weights.get(index + 1) ?? 0));
    this.sourceRows.forEach((row, index) => {
      const weight = this.weights.get(index + 1) ?? 0;
      row.classList.toggle("mapped", weight > 0);
      row.lastChild.textContent = weight || "";
      row.lastChild.style.setProperty("--share", weight / most);
    });
    this.showLines();
  }

  showLines() {
    const { lines, kinds } = this.current;
    this.visible = [];
    let widest = 0;
    lines.forEach((text, index) => {
      if ((this.kind && kinds[index] !== this.kind) || (this.query && !text.toLowerCase().includes(this.query))) return;
      this.visible.push(index);
      widest = Math.max(widest, text.length);
    });
    this.canvas.style.height = `${this.visible.length * ROW}px`;
    this.canvas.style.minWidth = `calc(${widest}ch + 130px)`;
    this.scroller.scrollTop = 0;
    this.follow(true);
  }

  paintRows() {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - OVERSCAN);
    const last = Math.min(this.visible.length, first + Math.ceil(this.scroller.clientHeight / ROW) + 2 * OVERSCAN);
    const rows = [];
    for (let at = first; at < last; at++) rows.push(this.stageRow(this.visible[at], at));
    if (!this.visible.length) rows.push(element("div", "nothing", "No line of this stage matches."));
    this.canvas.replaceChildren(...rows);
  }

  stageRow(index, at) {
    const { lines, numbers, map, kinds } = this.current;
    const row = element("div", `stage-row ${kinds[index]}`);
    row.style.top = `${at * ROW}px`;
    row.classList.toggle("active", this.line > 0 && map[index] === this.line);
    row.classList.toggle("mapped", map[index] > 0);
    const code = element("span", "code");
    this.appendInstruction(code, lines[index], kinds[index]);
    row.append(element("span", "number", String(numbers[index])), element("span", "origin", map[index] ? `:${map[index]}` : ""),
      element("span", "mark", MARKS[kinds[index]] ?? ""), code);
    row.addEventListener("mouseenter", () => this.hover(map[index]));
    row.addEventListener("click", () => this.pin(this.pinned === map[index] ? 0 : map[index]));
    return row;
  }

  appendInstruction(code, text, kind) {
    const opcode = kind && OPCODE[this.stage];
    if (this.query) {
      const literal = this.query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      appendHighlighted(code, text, new RegExp(literal, "gi"), () => "found");
    } else if (opcode) {
      appendHighlighted(code, text, opcode, () => "op");
    } else {
      code.append(text);
    }
  }

  button(className, text, on, act) {
    const node = element("button", className, text, { type: "button", "aria-pressed": on });
    node.classList.toggle("on", on);
    node.addEventListener("click", act);
    return node;
  }

  // ---- following a source line

  hover(line, fromSource = false) {
    if (this.pinned || this.hovered === line) return;
    this.hovered = line;
    this.follow(fromSource);
  }

  pin(line, fromSource = false) {
    this.pinned = line;
    this.hovered = 0;
    this.follow(fromSource);
  }

  step(event) {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move) return;
    keep(event);
    let line = this.line + move;
    while (line >= 1 && line <= this.sourceRows.length && !this.weights.get(line)) line += move;
    if (line >= 1 && line <= this.sourceRows.length) this.pin(line, true);
  }

  follow(scrollStage) {
    const { line } = this;
    this.sourceRows.forEach((row, index) => {
      row.classList.toggle("active", index + 1 === line);
      row.classList.toggle("pinned", index + 1 === this.pinned);
      row.setAttribute("aria-selected", index + 1 === line);
    });
    const matches = [];
    if (line) this.visible.forEach((index, at) => this.current.map[index] === line && matches.push(at));
    if (scrollStage && matches.length) this.scroller.scrollTop = (matches[0] - 3) * ROW;
    if (line && !scrollStage) this.revealSource(this.sourceRows[line - 1]);
    this.paintMinimap(matches);
    this.paintRows();
    this.say(line, matches);
  }

  revealSource(row) {
    const top = row.offsetTop - this.source.offsetTop;
    const below = top + row.offsetHeight - this.source.scrollTop - this.source.clientHeight;
    if (top < this.source.scrollTop) this.source.scrollTop = top - ROW;
    else if (below > 0) this.source.scrollTop += below + ROW;
  }

  paintMinimap(matches) {
    const scale = Math.min(ROW, this.minimap.clientHeight / Math.max(1, this.visible.length));
    const seen = new Set(matches.map((at) => Math.round(at * scale)));
    this.minimap.replaceChildren(...[...seen].map((top) => {
      const tick = element("i");
      tick.style.top = `${top}px`;
      return tick;
    }));
  }

  say(line, matches) {
    const stage = STAGE_NAMES[this.stage] ?? this.stage;
    const filtered = this.kind || this.query ? " shown" : "";
    const count = `${matches.length} ${matches.length === 1 ? "line" : "lines"} of ${stage}${filtered}`;
    this.status.textContent = line
      ? `Source line ${line}: ${count}${matches.length ? `, the first at ${this.current.numbers[this.visible[matches[0]]]}` : ""}.${this.pinned ? " Held; Esc lets go." : " Click to hold it."}`
      : "Point at a line on either side to see what it belongs to on the other.";
  }
}

export default {
  render({ model, el }) {
    const viewer = new Viewer(model.get("content"), el);
    // Rows and ticks depend on heights that exist only once the browser has laid the widget out.
    const observer = new ResizeObserver(() => viewer.follow(false));
    observer.observe(viewer.scroller);
    return () => observer.disconnect();
  },
};
