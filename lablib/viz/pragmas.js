// Pragmas to choose from, and what one choice becomes: figures, a sentence, the source and its schedule.
// `content` comes from pragmas.py; nothing is written back.

class PragmaExplorer {
  constructor(content, el) {
    this.content = content;
    this.chosen = content.knobs.map(([, options]) => options[0]);
    this.box = card(content.title, content.title, content.subtitle);
    this.box.classList.add("lab-pragmas");
    const knobs = element("div", "knobs");
    content.knobs.forEach(([name, options], at) => knobs.append(this.knob(name, options, at)));
    this.facts = element("div", "facts");
    this.status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    this.source = element("pre", "source", "", { tabindex: 0, "aria-label": "Source with these pragmas" });
    this.chart = element("div", "scrolls lab-pipeline", "", { tabindex: 0, role: "group", "aria-label": "Schedule" });
    const panes = element("div", "panes");
    panes.append(this.source, this.chart);
    this.box.append(knobs, this.facts, this.status, panes);
    el.replaceChildren(this.box);
    this.show();
  }

  knob(name, options, at) {
    const group = element("div", "knob", "", { role: "group", "aria-label": name });
    group.append(element("span", "name", name));
    for (const option of options) {
      const choice = button("tool choice", option, `${name} ${option}`, () => { this.chosen[at] = option; this.show(); });
      choice.dataset.at = at;
      group.append(choice);
    }
    return group;
  }

  show() {
    for (const choice of this.box.querySelectorAll(".choice")) {
      choice.setAttribute("aria-pressed", String(this.chosen[choice.dataset.at] === choice.textContent));
    }
    const design = this.content.designs[this.chosen.join("|")];
    this.facts.replaceChildren(...design.facts.map(([value, label]) => {
      const fact = element("div", "fact");
      fact.append(element("b", "", value), element("span", "", label));
      return fact;
    }));
    this.status.textContent = design.sentence;
    this.source.replaceChildren(...design.source.split("\n").map((line) => element("span", line.includes("#pragma") ? "line pragma" : "line", `${line}\n`)));
    this.chart.innerHTML = design.svg;
  }
}

export default {
  render({ model, el }) {
    new PragmaExplorer(model.get("content"), el);
  },
};
