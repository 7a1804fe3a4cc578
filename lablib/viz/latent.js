// The plane of a decoder's codes. `content` comes from latent.py; nothing is written back, so it works without a kernel.

const SVG = "http://www.w3.org/2000/svg";
const PLANE = 380; // px, each side
const PIXEL = 22; // px, of the decoded image

function drawn(tag, attributes, text = "") {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

class Plane {
  constructor(content, root) {
    this.content = content;
    this.levels = Uint8Array.from(atob(content.levels), (character) => character.charCodeAt(0));
    this.column = this.row = Math.floor(content.side / 2);
    this.box = card("Plane of codes", content.title, "Drag the ring, or use the arrow keys. Each small number is a test image at the mean of its code.");
    this.box.classList.add("lab-plane");
    const panes = element("div", "panes");
    panes.append(this.buildPlane(), this.buildImage());
    this.status = element("div", "status", "", { role: "status", "aria-live": "polite" });
    this.box.append(panes, this.status);
    root.replaceChildren(this.box);
    this.show();
  }

  // From a code to pixels of the plane, and from a step of the grid to a code.
  place(x, y) {
    const scale = PLANE / (2 * this.content.reach);
    return [(x + this.content.reach) * scale, (this.content.reach - y) * scale];
  }

  code() {
    const step = (2 * this.content.reach) / (this.content.side - 1);
    return [-this.content.reach + this.column * step, this.content.reach - this.row * step];
  }

  buildPlane() {
    const { reach } = this.content;
    this.plane = drawn("svg", {
      class: "plane", width: PLANE, height: PLANE, viewBox: `0 0 ${PLANE} ${PLANE}`, tabindex: "0", role: "slider",
      "aria-label": "Code", "aria-valuemin": -reach, "aria-valuemax": reach,
    });
    for (let at = Math.floor(-reach) + 1; at < reach; at++) {
      const [x, y] = this.place(at, at);
      this.plane.append(drawn("line", { class: "grid", x1: x, x2: x, y1: 0, y2: PLANE }), drawn("line", { class: "grid", x1: 0, x2: PLANE, y1: y, y2: y }));
      this.plane.append(drawn("text", { class: "tick", x: x + 3, y: PLANE - 4 }, at), drawn("text", { class: "tick", x: 3, y: y - 3 }, at));
    }
    for (const [x, y, label] of this.content.points) {
      const [left, top] = this.place(x, y);
      this.plane.append(drawn("text", { class: `point class-${label % 10}`, x: left, y: top + 4, "text-anchor": "middle" }, label));
    }
    this.ring = drawn("circle", { class: "ring", r: 11 });
    this.plane.append(this.ring);
    this.plane.addEventListener("pointerdown", (event) => { this.plane.setPointerCapture(event.pointerId); this.follow(event); });
    this.plane.addEventListener("pointermove", (event) => event.buttons && this.follow(event));
    this.plane.addEventListener("keydown", (event) => this.step(event));
    return this.plane;
  }

  buildImage() {
    const { height, width } = this.content;
    const pane = element("div", "decoded");
    this.image = drawn("svg", { class: "image", width: width * PIXEL, height: height * PIXEL, role: "img" });
    this.pixels = [];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const pixel = drawn("rect", { x: x * PIXEL, y: y * PIXEL, width: PIXEL, height: PIXEL });
        this.pixels.push(pixel);
        this.image.append(pixel);
      }
    }
    this.where = element("div", "where");
    pane.append(this.image, this.where);
    return pane;
  }

  follow(event) {
    const box = this.plane.getBoundingClientRect();
    const last = this.content.side - 1;
    const nearest = (share) => Math.max(0, Math.min(last, Math.round(share * last)));
    this.column = nearest((event.clientX - box.left) / box.width);
    this.row = nearest((event.clientY - box.top) / box.height);
    this.show();
  }

  step(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move) return;
    keep(event);
    const last = this.content.side - 1;
    this.column = Math.max(0, Math.min(last, this.column + move[0]));
    this.row = Math.max(0, Math.min(last, this.row + move[1]));
    this.show();
  }

  show() {
    const [x, y] = this.code();
    const [left, top] = this.place(x, y);
    this.ring.setAttribute("cx", left);
    this.ring.setAttribute("cy", top);
    const first = (this.row * this.content.side + this.column) * this.pixels.length;
    this.pixels.forEach((pixel, index) => pixel.setAttribute("fill-opacity", (this.levels[first + index] / 255).toFixed(3)));
    const text = `z = (${x.toFixed(1)}, ${y.toFixed(1)})`;
    this.where.textContent = text;
    this.plane.setAttribute("aria-valuenow", x.toFixed(1));
    this.plane.setAttribute("aria-valuetext", text);
    this.image.setAttribute("aria-label", `The image that ${text} decodes to`);
    this.status.textContent = this.neighbours(x, y);
  }

  neighbours(x, y) {
    const near = this.content.points.map(([a, b, label]) => [Math.hypot(a - x, b - y), label]).sort((one, other) => one[0] - other[0]).slice(0, 5);
    if (!near.length) return "No image was encoded to this plane.";
    const labels = near.map(([, label]) => label).join(", ");
    return `The nearest test images are: ${labels}. The nearest is ${near[0][0].toFixed(2)} away.`;
  }
}

export default {
  render({ model, el }) {
    new Plane(model.get("content"), el);
  },
};
