// Charts over time: Python draws them once, and stepping changes which bars are past, present and to come.
// Steps are as wide as `column`, or lie between `edges`; `unit` is what a step is called.

export default {
  render({ model, el }) {
    const content = model.get("content");
    const box = card(content.title, content.title, content.subtitle);
    box.classList.add("lab-pipeline");
    const unit = content.unit || "cycle";
    const edges = content.edges || Array.from({ length: content.cycles.length + 1 }, (_, cycle) => content.left + cycle * content.column);
    const chart = element("div", "scrolls", "", { tabindex: 0, role: "group", "aria-label": `Chart; left and right step by a ${unit}` });
    chart.innerHTML = content.svg;
    const status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    const bars = [...chart.querySelectorAll(".bar")].map((node) => ({ node, from: Number(node.dataset.from), to: Number(node.dataset.to) }));
    const playhead = chart.querySelector(".playhead");
    const player = new Player(content.cycles.length - 1, content.first, (cycle) => {
      for (const { node, from, to } of bars) node.setAttribute("class", `bar ${from > cycle ? "later" : to <= cycle ? "done" : "now"}`);
      const [x, end] = [edges[cycle], edges[cycle + 1]];
      playhead.setAttribute("x", x);
      playhead.setAttribute("width", end - x);
      if (end > chart.scrollLeft + chart.clientWidth || x < chart.scrollLeft + content.left) chart.scrollLeft = x - content.left;
      status.textContent = `${unit[0].toUpperCase()}${unit.slice(1)} ${cycle}: ${content.cycles[cycle]}`;
    }, unit);
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      keep(event);
      player.stop();
      player.go(player.cycle + step);
    });
    chart.addEventListener("click", (event) => {
      const x = event.clientX - chart.getBoundingClientRect().left + chart.scrollLeft;
      const cycle = edges.findIndex((edge, place) => x >= edge && x < edges[place + 1]);
      if (cycle >= 0) { player.stop(); player.go(cycle); }
    });
    box.append(chart, player.box, status);
    el.replaceChildren(box);
    return () => player.stop();
  },
};
