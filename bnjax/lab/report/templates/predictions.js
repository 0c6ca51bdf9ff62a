// What each arm says of each image: a table with filters, order and pages.

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name === "style") Object.assign(made.style, value);
    else if (name.startsWith("on")) made[name] = value;
    else made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function choice(label, options, onchange) {
  const select = element("select", {onchange: () => onchange(select.value)},
    ...options.map(([value, text]) => element("option", {value}, text)));
  return element("label", {}, element("span", {}, label), select);
}

function showPredictions(host, {predictions: data}) {
  const state = {filter: "all", label: "", below: 1, sort: "disagreement",
    down: true, page: 0, size: 25};
  const wrong = data.arms.map((own) =>
    own.prediction.map((found, i) => found !== data.label[i]));
  const status = element("p", {class: "said", role: "status"});
  const [head, body] = [element("tr"), element("tbody")];
  let found = [];
  const columns = [["index", "image", data.index],
    ["label", "label", data.label],
    ...data.arms.map((own, i) => [`arm-${i}`, own.name, own.confidence]),
    ["disagreement", "disagreement", data.disagreement]];
  const set = (change) => {
    Object.assign(state, {page: 0}, change);
    const order = columns.find(([sort]) => sort === state.sort)[2];
    const sign = state.down ? -1 : 1;
    found = data.index.map((_, i) => i).filter(chosen).sort((a, b) =>
      sign * (order[a] - order[b]) || data.index[a] - data.index[b]);
    show();
  };
  const chosen = (i) => {
    const count = wrong.filter((own) => own[i]).length;
    const fits = {all: true, wrong: count > 0, one: count === 1,
      every: count === wrong.length}[state.filter]
      ?? (count === 1 && wrong[Number(state.filter)][i]);
    return fits && (state.label === "" || data.label[i] === Number(state.label))
      && data.arms.some((own) => own.confidence[i] <= state.below);
  };
  const show = () => {
    const from = state.page * state.size;
    const rows = found.slice(from, from + state.size);
    body.replaceChildren(...rows.map(row));
    const text = (x) => x.toLocaleString("en");
    const total = data.of > data.index.length
      ? ` (of ${text(data.of)}, those with most disagreement)` : "";
    status.textContent = rows.length ? `${text(from + 1)} to ${
      text(from + rows.length)} of ${text(found.length)} image${
      found.length === 1 ? "" : "s"}${total}` : "No image is so.";
    back.disabled = !state.page;
    next.disabled = from + state.size >= found.length;
    [...head.children].forEach((cell, i) => {
      const [sort, name] = columns[i];
      const on = sort === state.sort;
      cell.setAttribute("aria-sort", !on ? "none"
        : state.down ? "descending" : "ascending");
      cell.firstChild.textContent =
        name + (on ? (state.down ? " ↓" : " ↑") : "");
    });
  };
  const row = (i) => element("tr", {},
    element("td", {}, picture(i)),
    element("td", {class: "number"}, String(data.label[i])),
    ...data.arms.map((own, a) => element("td", {},
      element("span", {class: wrong[a][i] ? "wrong" : ""},
        `${own.prediction[i]}${wrong[a][i] ? " ✗" : ""}`), " ",
      element("span", {class: "share"},
        `${(100 * own.confidence[i]).toFixed(1)}%` +
        (own.right[i] > 0 && own.right[i] < 1
          ? `, ${(100 * own.right[i]).toFixed(0)}% of seeds right` : "")))),
    element("td", {class: "number"}, data.disagreement[i].toFixed(3)));
  const picture = (i) => {
    const text = `test image ${data.index[i]}`;
    if (!data.image[i]) return element("span", {class: "share"}, text);
    const [left, top, width, height] = data.image[i];
    // A piece of the section's picture, made larger with sharp edges.
    return element("span", {class: "picture", role: "img", "aria-label": text,
      title: text, style: {width: `${width}px`, height: `${height}px`,
        zoom: Math.max(1, Math.round(56 / Math.max(width, height))),
        backgroundPosition: `-${left}px -${top}px`}});
  };
  head.append(...columns.map(([sort]) => element("th", {scope: "col"},
    element("button", {type: "button", onclick: () => set({sort,
      down: state.sort === sort ? !state.down : sort === "disagreement"})}))));
  const filters = [["all", "all images"], ["wrong", "wrong in any arm"],
    ...(data.arms.length > 1 ? [["one", "wrong in one arm only"],
      ...data.arms.map((own, i) => [i, `wrong in ${own.name} only`]),
      ["every", "wrong in every arm"]] : [])];
  const labels = [...new Set(data.label)].sort((a, b) => a - b);
  const turn = (by) => { state.page += by; show(); };
  const [back, next] = [["Previous", -1], ["Next", 1]].map(([text, by]) =>
    element("button", {type: "button", onclick: () => turn(by)}, text));
  host.append(
    element("div", {class: "controls"},
      choice("Show", filters, (filter) => set({filter})),
      choice("Least confidence", [[1, "any"], [0.9, "below 90%"],
        [0.7, "below 70%"], [0.5, "below 50%"]],
      (below) => set({below: Number(below)})),
      choice("Label", [["", "any"], ...labels.map((x) => [x, String(x)])],
        (label) => set({label})),
      choice("Rows", [25, 50, 100].map((x) => [x, String(x)]),
        (size) => set({size: Number(size)}))),
    element("div", {class: "controls"}, back, next, status),
    element("div", {class: "wide", tabindex: 0},
      element("table", {}, element("thead", {}, head), body)));
  set({});
}

function predictionRows({predictions: data}) {
  const parts = ["prediction", "confidence", "right"];
  const names = data.arms.flatMap((own) => parts.map((x) => `${own.name} ${x}`));
  return [["index", "label", "disagreement", ...names],
    ...data.index.map((index, i) => [index, data.label[i],
      data.disagreement[i],
      ...data.arms.flatMap((own) => parts.map((x) => own[x][i]))])];
}
