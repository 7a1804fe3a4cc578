// Passes over a graph: a stepper through the stages, each beside the one before it, modules folded.

const MARKS = { kept: " ", gone: "−", new: "+", changed: "~" };
const TELLS = { kept: "", gone: "removed", new: "new", changed: "changed" };

// Neighbours of one module under one heading: a list of rows and of {name, rows}.
function tree(rows, depth) {
  const found = [];
  for (const row of rows) {
    const part = row.path[depth];
    const last = found[found.length - 1];
    if (part === undefined) found.push(row);
    else if (last && last.rows && last.name === part) last.rows.push(row);
    else found.push({ name: part, rows: [row] });
  }
  return found;
}

function count(rows, state) { return rows.filter((row) => row.state === state).length; }

function line(row) {
  const node = element("div", `node ${row.state}${row.group === null ? "" : ` fused series-${row.group % 6}`}`);
  node.append(element("span", "mark", MARKS[row.state], { title: TELLS[row.state] }));
  node.append(element("span", "op", row.op), element("span", "name", row.name));
  node.append(element("span", "kernel", row.group === null ? "" : `kernel ${String.fromCharCode(65 + (row.group % 26))}${row.group > 25 ? Math.floor(row.group / 26) : ""}`));
  node.append(element("span", "bytes", row.bytes));
  return node;
}

function branch(rows, depth, prefix, opened) {
  const box = element("div", "branch");
  for (const item of tree(rows, depth)) {
    if (!item.rows) { box.append(line(item)); continue; }
    const path = prefix ? `${prefix}.${item.name}` : item.name;
    const fold = element("details");
    const changed = item.rows.length - count(item.rows, "kept");
    const head = element("summary", "", "");
    head.append(element("span", "module", item.name), element("span", "told", `${item.rows.length} nodes${changed ? `, ${changed} changed` : ""}`));
    fold.append(head, branch(item.rows, depth + 1, path, opened));
    fold.open = opened.has(path) ? opened.get(path) : changed > 0 || rows.length < 24;
    fold.addEventListener("toggle", () => opened.set(path, fold.open));
    box.append(fold);
  }
  return box;
}

export default {
  render({ model, el }) {
    const content = model.get("content");
    const box = card(content.title, content.title, content.subtitle);
    box.classList.add("lab-passes");
    const opened = new Map();
    const tabs = element("div", "tabs", "", { role: "group", "aria-label": "Stages" });
    const body = element("div", "scrolls nodes", "", { tabindex: 0, role: "group", "aria-label": "Nodes of the stage" });
    const status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    const show = (chosen) => {
      [...tabs.children].forEach((tab, number) => tab.setAttribute("aria-pressed", String(number === chosen)));
      body.replaceChildren(branch(content.stages[chosen].rows, 0, "", opened));
      status.textContent = content.stages[chosen].sentence;
    };
    content.stages.forEach((stage, number) => {
      const tab = element("button", "tab", "", { type: "button" });
      const bar = element("span", "bar");
      bar.style.width = `${(100 * stage.share).toFixed(1)}%`;
      tab.append(element("span", "label", stage.name), element("span", "total", stage.total), bar);
      tab.addEventListener("click", () => show(number));
      tabs.append(tab);
    });
    box.append(tabs, body, status);
    show(content.stages.length - 1);
    el.replaceChildren(box);
  },
};
