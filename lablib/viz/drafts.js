// Speculative decoding, pass by pass. `content` comes from drafts.py; nothing is written back, so it works without a kernel.

const MEANS = { accepted: "accepted", refused: "refused", own: "the target's own", void: "never looked at" };
const SIGNS = { accepted: "✓", refused: "✗", own: "+", void: "–" };

function shown(token) {
  return token.replaceAll(" ", "␣").replaceAll("\n", "⏎");
}

class Drafts {
  constructor(content, root) {
    this.content = content;
    this.box = card("Speculative decoding", content.title, content.summary);
    this.box.classList.add("lab-drafts");
    this.text = element("div", "text");
    this.line = element("div", "line");
    const key = element("div", "key");
    for (const kind of Object.keys(MEANS)) key.append(this.chip(SIGNS[kind], kind), element("span", "", MEANS[kind]));
    this.status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    this.box.append(this.text, this.line, key);
    const player = new Player(content.passes.length, 1, (pass) => this.show(pass), "pass");
    this.box.append(player.box, this.status);
    root.replaceChildren(this.box);
  }

  chip(token, kind) {
    const node = element("span", `chip ${kind}`, shown(token));
    node.title = MEANS[kind];
    return node;
  }

  show(pass) {
    this.text.replaceChildren(element("span", "prompt", this.content.prompt));
    for (const row of this.content.passes.slice(0, pass)) {
      for (const [token, kind] of row) {
        if (kind === "accepted" || kind === "own") this.text.append(element("span", kind, token));
      }
    }
    const row = pass ? this.content.passes[pass - 1] : [];
    this.line.replaceChildren(...row.map(([token, kind]) => this.chip(token, kind)));
    this.status.textContent = pass ? this.sentence(row) : "Before the first pass.";
  }

  sentence(row) {
    const count = (kind) => row.filter((entry) => entry[1] === kind).length;
    const drafted = row.length - 1;
    const own = shown(row.find((entry) => entry[1] === "own")[0]);
    const from = count("refused") ? "from the residual" : "as a bonus";
    return `${drafted} drafted, ${count("accepted")} accepted; the target itself draws “${own}” ${from}: ${count("accepted") + 1} written.`;
  }
}

export default {
  render({ model, el }) {
    new Drafts(model.get("content"), el);
  },
};
