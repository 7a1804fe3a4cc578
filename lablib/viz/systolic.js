// The systolic array: Python draws every place once; a frame says what stands there in a cycle.

const MILLISECONDS = 280;
// From where what stands in a place came, in steps: A from the left, B from above, sums from below when they leave.
const FROM = { a: [-1, 0], left: [-1, 0], b: [0, -1], above: [0, -1], sum: [0, 1] };
const WAITING = { left: 36, above: 25 }; // px between operands that wait

export default {
  render({ model, el }) {
    const content = model.get("content");
    const box = card(content.title, content.title, content.subtitle);
    box.classList.add("lab-systolic");
    const array = element("div", "scrolls", "", { tabindex: 0, role: "group", "aria-label": "Array of processing elements" });
    array.innerHTML = content.svg;
    const places = [...array.querySelectorAll("[data-key]")].map((node) => ({ node, key: node.dataset.key, kind: node.dataset.key.split("-")[0], words: node.querySelector("text:not(.tick)") }));
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    const status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    const player = new Player(content.frames.length - 1, content.first, (cycle, forward) => {
      for (const { node, key, kind, words } of places) {
        const [text, state] = content.frames[cycle][key];
        if (words) words.textContent = text;
        node.setAttribute("class", FROM[kind] && kind !== "sum" ? `operand ${state}` : state);
        if (forward && !still.matches && state === "on" && FROM[kind] && (kind !== "sum" || content.up[cycle])) {
          const [x, y] = FROM[kind].map((step) => step * (WAITING[kind] ?? content.pitch));
          node.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], { duration: MILLISECONDS, easing: "ease-out" });
        }
      }
      status.textContent = `Cycle ${cycle}: ${content.cycles[cycle]}`;
    });
    box.append(array, player.box, status);
    el.replaceChildren(box);
    return () => player.stop();
  },
};
