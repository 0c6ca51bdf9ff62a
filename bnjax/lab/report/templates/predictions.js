// What each arm says of each image: a table with filters, order and pages.

function showPredictions(host, {predictions: data}) {
  const asked = {filter: "all", label: "", below: 1};
  const wrong = data.arms.map((own) =>
    own.prediction.map((found, i) => found !== data.label[i]));
  const columns = [{name: "image", values: data.index},
    {name: "label", values: data.label},
    ...data.arms.map((own) => ({name: own.name, values: own.confidence})),
    {name: "disagreement", values: data.disagreement, down: true}];
  const fits = (i) => {
    const count = wrong.filter((own) => own[i]).length;
    const right = {all: true, wrong: count > 0, one: count === 1,
      every: count === wrong.length}[asked.filter]
      ?? (count === 1 && wrong[Number(asked.filter)][i]);
    return right && (asked.label === "" || data.label[i] === Number(asked.label))
      && data.arms.some((own) => own.confidence[i] <= asked.below);
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
  const shown = [["all", "all images"], ["wrong", "wrong in any arm"],
    ...(data.arms.length > 1 ? [["one", "wrong in one arm only"],
      ...data.arms.map((own, i) => [i, `wrong in ${own.name} only`]),
      ["every", "wrong in every arm"]] : [])];
  const labels = [...new Set(data.label)].sort((a, b) => a - b);
  const filters = (again) => {
    const by = (name, read = String) => (value) => {
      asked[name] = read(value);
      again();
    };
    return [choice("Show", shown, by("filter")),
      choice("Least confidence", [[1, "any"], [0.9, "below 90%"],
        [0.7, "below 70%"], [0.5, "below 50%"]], by("below", Number)),
      choice("Label", [["", "any"], ...labels.map((x) => [x, String(x)])],
        by("label"))];
  };
  const cells = columns.map(() => element("th", {scope: "col"}));
  const table = element("table", {},
    element("thead", {}, element("tr", {}, ...cells)), element("tbody"));
  host.append(element("div", {class: "wide", tabindex: 0}, table));
  filtered(table, {columns, count: data.index.length, row, fits, filters,
    called: ["image", "images"], none: "No image is so.",
    sort: columns.length - 1, ties: data.index,
    of: data.of > data.index.length ? ` (of ${data.of.toLocaleString("en")}, ${
      ""}those with most disagreement)` : ""});
}

function predictionRows({predictions: data}) {
  const parts = ["prediction", "confidence", "right"];
  const names = data.arms.flatMap((own) => parts.map((x) => `${own.name} ${x}`));
  return [["index", "label", "disagreement", ...names],
    ...data.index.map((index, i) => [index, data.label[i],
      data.disagreement[i],
      ...data.arms.flatMap((own) => parts.map((x) => own[x][i]))])];
}
