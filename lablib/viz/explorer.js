// Sliders, and what one setting of them becomes: figures, a sentence and a picture. Nothing is written back.

class Explorer {
  constructor(content, el) {
    this.content = content;
    this.box = card(content.title, content.title, content.subtitle);
    this.box.classList.add("lab-explorer");
    const knobs = element("div", "knobs");
    this.inputs = content.knobs.map(([name, options], at) => {
      const row = element("label", "knob");
      const slider = element("input", "", "", { type: "range", min: 0, max: options.length - 1, step: 1, "aria-label": name });
      slider.value = content.first[at];
      slider.disabled = options.length === 1;
      slider.addEventListener("input", () => this.show());
      row.append(element("span", "name", name), slider, element("output"));
      knobs.append(row);
      return { slider, options, output: row.lastChild };
    });
    this.facts = element("div", "facts");
    this.status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    this.chart = element("div", "scrolls", "", { tabindex: 0, role: "group", "aria-label": "Picture of this setting" });
    this.box.append(knobs, this.facts, this.status, this.chart);
    el.replaceChildren(this.box);
    this.show();
  }

  show() {
    const chosen = this.inputs.map(({ slider, options, output }) => {
      const option = options[Number(slider.value)];
      output.textContent = option;
      slider.setAttribute("aria-valuetext", option);
      return option;
    });
    const setting = this.content.settings[chosen.join("|")];
    this.facts.replaceChildren(...setting.facts.map(([value, label]) => {
      const fact = element("div", "fact");
      fact.append(element("b", "", value), element("span", "", label));
      return fact;
    }));
    this.status.textContent = setting.sentence;
    this.chart.innerHTML = setting.svg;
  }
}

export default {
  render({ model, el }) {
    new Explorer(model.get("content"), el);
  },
};
