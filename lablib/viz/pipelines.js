// The pipeline chart: Python draws it once, and stepping changes which bars are past, present and to come.

export default {
  render({ model, el }) {
    const content = model.get("content");
    const box = card(content.title, content.title, content.subtitle);
    box.classList.add("lab-pipeline");
    const chart = element("div", "scrolls", "", { tabindex: 0, role: "group", "aria-label": "Chart; left and right step by a cycle" });
    chart.innerHTML = content.svg;
    const status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    const bars = [...chart.querySelectorAll(".bar")].map((node) => ({ node, from: Number(node.dataset.from), to: Number(node.dataset.to) }));
    const playhead = chart.querySelector(".playhead");
    const player = new Player(content.cycles.length - 1, content.first, (cycle) => {
      for (const { node, from, to } of bars) node.setAttribute("class", `bar ${from > cycle ? "later" : to <= cycle ? "done" : "now"}`);
      const x = content.left + cycle * content.column;
      playhead.setAttribute("x", x);
      if (x + content.column > chart.scrollLeft + chart.clientWidth || x < chart.scrollLeft + content.left) chart.scrollLeft = x - content.left;
      status.textContent = `Cycle ${cycle}: ${content.cycles[cycle]}`;
    });
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      keep(event);
      player.stop();
      player.go(player.cycle + step);
    });
    chart.addEventListener("click", (event) => {
      const cycle = Math.floor((event.clientX - chart.getBoundingClientRect().left + chart.scrollLeft - content.left) / content.column);
      if (cycle >= 0 && cycle < content.cycles.length) { player.stop(); player.go(cycle); }
    });
    box.append(chart, player.box, status);
    el.replaceChildren(box);
    return () => player.stop();
  },
};
