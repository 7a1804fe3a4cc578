// What the scripts of several widgets share; each widget's own script follows in the same file.

function element(tag, className = "", text = "", attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function button(className, text, label, act) {
  const node = element("button", className, text, { type: "button", "aria-label": label, title: label });
  node.addEventListener("click", act);
  return node;
}

// For a key or a turn of the wheel that the widget has answered: nobody else is to do so too.
function keep(event) {
  event.preventDefault();
  event.stopPropagation();
}

// JupyterLab takes single keys for commands, two d for the deletion of the cell: none is to go there from a widget.
function keepKeys(box) {
  box.addEventListener("keydown", (event) => {
    const single = event.key.length === 1 || event.key.startsWith("Arrow");
    if (single && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
}

// A card with a title and a line below it.
function card(label, title, subtitle) {
  const box = element("div", "lab-view", "", { role: "group", "aria-label": label });
  box.append(element("h3", "", title), element("div", "sub", subtitle));
  keepKeys(box);
  return box;
}

// Buttons and a slider that step from 0 to `last`; `show(cycle, forward)` is called at every step. `unit` names a step.
class Player {
  constructor(last, first, show, unit = "cycle") {
    this.last = last;
    this.show = show;
    this.unit = unit;
    this.timer = 0;
    this.box = element("div", "player");
    this.back = button("tool", "‹", `One ${unit} back`, () => { this.stop(); this.go(this.cycle - 1); });
    this.play = button("tool play", "▶ Play", "Play or pause", () => (this.timer ? this.stop() : this.start()));
    this.on = button("tool", "›", `One ${unit} on`, () => { this.stop(); this.go(this.cycle + 1); });
    this.slider = element("input", "", "", { type: "range", min: 0, max: last, step: 1, "aria-label": unit[0].toUpperCase() + unit.slice(1) });
    this.slider.addEventListener("input", () => { this.stop(); this.go(Number(this.slider.value)); });
    this.label = element("output");
    this.box.append(this.back, this.play, this.on, this.slider, this.label);
    this.cycle = first;
    this.go(first);
  }

  go(cycle) {
    const before = this.cycle;
    this.cycle = Math.max(0, Math.min(this.last, cycle));
    this.slider.value = this.cycle;
    this.label.textContent = `${this.unit} ${this.cycle}`;
    this.back.disabled = this.cycle === 0;
    this.on.disabled = this.cycle === this.last;
    this.show(this.cycle, this.cycle === before + 1);
  }

  start() {
    if (this.cycle === this.last) this.go(0);
    this.play.textContent = "❚❚ Pause";
    this.timer = setInterval(() => {
      if (this.cycle === this.last || !this.box.isConnected) this.stop();
      else this.go(this.cycle + 1);
    }, 900);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = "▶ Play";
  }
}
