// Draws figures and widgets where they stand, as the reader comes to them. What they are drawn from is in the page, so
// that it also works from a disk; without scripts a figure's summary, or a still picture, stays in its place.

const PLOTLY = new URL("plotly.min.js", document.currentScript.src);
const DRAW = { plot: drawPlot, widget: drawWidget };
const dark = matchMedia("(prefers-color-scheme: dark)");
let plotly;

function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: PLOTLY, onload: () => resolve(window.Plotly), onerror: reject });
    document.head.append(script);
  });
  return plotly;
}

// Plotly's own sliders are out of the keyboard's reach, so a figure's steps get one of the browser's too.
function stepper(Plotly, box, { prefix, steps, active }) {
  const label = document.createElement("label");
  const range = Object.assign(document.createElement("input"), { type: "range", min: 0, max: steps.length - 1, value: active ?? 0 });
  const name = document.createElement("span");
  const show = () => {
    name.textContent = `${prefix ?? ""}${steps[range.value].label}`;
    range.setAttribute("aria-valuetext", name.textContent);
  };
  range.addEventListener("input", () => {
    Plotly.animate(box, ...steps[range.value].args);
    show();
  });
  show();
  label.append(name, range);
  return label;
}

async function drawPlot(figure, { data, layout, frames }, summary) {
  const Plotly = await loadPlotly();
  const box = document.createElement("div");
  const scrolls = document.createElement("div");
  scrolls.className = "scrolls";
  scrolls.tabIndex = 0;
  scrolls.setAttribute("role", "group");
  scrolls.setAttribute("aria-label", summary);
  scrolls.append(box);
  figure.replaceChildren(scrolls);
  await Plotly.newPlot(box, { data, layout, frames, config: { displayModeBar: false } });
  for (const svg of box.querySelectorAll("svg")) svg.setAttribute("aria-hidden", "true");
  const [slider] = layout.sliders ?? [];
  if (slider) figure.append(stepper(Plotly, box, { ...slider, prefix: slider.currentvalue?.prefix }));
}

async function drawWidget(figure, { script, style, content }) {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const box = document.createElement("div");
  const sheet = Object.assign(document.createElement("style"), { textContent: style });
  figure.replaceChildren(sheet, box);
  widget.render({ model: { get: () => content, on() {}, off() {} }, el: box });
}

// Widgets look for JupyterLab's word for the theme.
function followTheme() {
  const { theme } = document.body.dataset;
  const isDark = theme === "dark" || (theme !== "light" && dark.matches);
  document.body.dataset.jpThemeLight = String(!isDark);
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    const content = JSON.parse(target.querySelector("script").textContent);
    DRAW[target.className](target, content, target.dataset.summary).then(() => target.classList.add("drawn"));
  }
}, { rootMargin: "600px" });

// What scrolls can be reached by the keyboard.
function reachScrolling() {
  for (const box of document.querySelectorAll("article pre, article .table-wrapper, article math[display=block]")) {
    box.toggleAttribute("tabindex", box.scrollWidth > box.clientWidth);
    if (box.hasAttribute("tabindex")) box.tabIndex = 0;
  }
}

followTheme();
reachScrolling();
addEventListener("resize", reachScrolling);
dark.addEventListener("change", followTheme);
new MutationObserver(followTheme).observe(document.body, { attributeFilter: ["data-theme"] });
for (const figure of document.querySelectorAll("figure.plot, figure.widget")) seen.observe(figure);
