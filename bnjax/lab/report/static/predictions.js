// What each arm says of each image: a table with filters, order and pages.

function predictionsPart(host, data, arms, name) {
  const state = {filter: "all", label: "", below: 1, sort: "disagreement",
    down: true, page: 0, size: 25};
  const wrong = data.arms.map((own) =>
    own.prediction.map((found, i) => found !== data.label[i]));
  const status = element("p", {class: "said", role: "status"});
  const body = element("tbody");
  const head = element("tr");
  const pager = element("div", {class: "controls"});
  let found = [];

  const columns = [["index", "image", "index"], ["label", "label", "label"],
    ...data.arms.map((own, i) => [`arm-${i}`, arms.list[own.arm].name, i]),
    ["disagreement", "disagreement", "disagreement"]];
  const key = (sort) => {
    const column = columns.find(([own]) => own === sort)[2];
    return typeof column === "number" ? data.arms[column].confidence
      : data[column];
  };
  const search = () => {
    found = data.index.map((_, i) => i).filter((i) => chosen(i));
    const order = key(state.sort);
    const sign = state.down ? -1 : 1;
    found.sort((a, b) => sign * (order[a] - order[b])
      || data.index[a] - data.index[b]);
    state.page = 0;
    show();
  };
  const chosen = (i) => {
    const bad = wrong.map((own) => own[i]);
    const count = bad.filter(Boolean).length;
    const fits = {all: true, wrong: count > 0,
      one: count === 1 && bad.length > 1,
      every: count === bad.length}[state.filter]
      ?? (count === 1 && bad[Number(state.filter)]);
    const low = least(data.arms.map((own) => own.confidence[i]));
    return fits && low <= state.below
      && (state.label === "" || data.label[i] === Number(state.label));
  };
  const show = () => {
    const from = state.page * state.size;
    const rows = found.slice(from, from + state.size);
    body.replaceChildren(...rows.map((i) => row(i)));
    const total = data.of > data.index.length
      ? ` (of ${data.of.toLocaleString("en")}, those with most disagreement)`
      : "";
    status.textContent = found.length
      ? `${(from + 1).toLocaleString("en")} to ${
        (from + rows.length).toLocaleString("en")} of ${
        plural(found.length, "image")}${total}`
      : "No image is so.";
    back.disabled = !state.page;
    next.disabled = from + state.size >= found.length;
    for (const cell of head.children) {
      const on = cell.dataset.sort === state.sort;
      if (on) cell.setAttribute("aria-sort",
        state.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
      cell.firstChild.textContent = cell.dataset.text
        + (on ? (state.down ? " ↓" : " ↑") : "");
    }
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
    const place = data.image[i];
    const text = `test image ${data.index[i]}`;
    if (!place) return element("span", {class: "share"}, text);
    const [left, top, width, height] = place;
    const zoom = Math.max(1, Math.round(56 / Math.max(width, height)));
    // A piece of the section's picture, made larger with sharp edges.
    return element("span", {class: "picture", role: "img", "aria-label": text,
      title: text, style: {width: `${width}px`, height: `${height}px`,
        zoom, backgroundPosition: `-${left}px -${top}px`}});
  };
  for (const [sort, text] of columns) {
    const cell = element("th", {scope: "col", "data-sort": sort,
      "data-text": text}, button(text, () => {
      state.down = state.sort === sort ? !state.down
        : sort === "disagreement";
      state.sort = sort;
      search();
    }));
    head.append(cell);
  }
  const filters = [["all", "all images"], ["wrong", "wrong in any arm"],
    ...(data.arms.length > 1 ? [["one", "wrong in one arm only"],
      ...data.arms.map((own, i) => [i,
        `wrong in ${arms.list[own.arm].name} only`]),
      ["every", "wrong in every arm"]] : [])];
  const labels = [...new Set(data.label)].sort((a, b) => a - b);
  const back = button("Previous", () => { state.page -= 1; show(); });
  const next = button("Next", () => { state.page += 1; show(); });
  const controls = element("div", {class: "controls"},
    choice("Show", filters, "all", (v) => { state.filter = v; search(); }),
    choice("Least confidence", [[1, "any"], [0.9, "below 90%"],
      [0.7, "below 70%"], [0.5, "below 50%"]], 1,
    (v) => { state.below = Number(v); search(); }),
    choice("Label", [["", "any"], ...labels.map((x) => [x, String(x)])], "",
      (v) => { state.label = v; search(); }),
    choice("Rows", [25, 50, 100].map((x) => [x, String(x)]), 25,
      (v) => { state.size = Number(v); state.page = 0; show(); }));
  pager.append(back, next, status);
  const table = element("table", {class: "predictions"},
    element("thead", {}, head), body);
  besideHeading(host,
    csvButton(`${name}-predictions`, () => predictionRows(data, arms)));
  host.append(controls, pager,
    element("div", {class: "wide", tabindex: 0}, table));
  search();
}

function predictionRows(data, arms) {
  const names = data.arms.map((own) => arms.list[own.arm].name);
  const rows = [["index", "label", "disagreement", ...names.flatMap((x) =>
    ["prediction", "confidence", "right"].map((y) => `${x} ${y}`))]];
  data.index.forEach((index, i) => rows.push([index, data.label[i],
    data.disagreement[i], ...data.arms.flatMap((own) =>
      [own.prediction[i], own.confidence[i], own.right[i]])]));
  return rows;
}
