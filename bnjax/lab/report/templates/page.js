// Draws the charts, whose data and layout are in the page, and what Plotly has
// not: the dark, columns that fit, the keyboard, files, and printing.

const data = new Map(); // section's id -> what is in its script
const charts = [...document.querySelectorAll(".chart")];
const night = JSON.parse(document.getElementById("night").textContent);
const look = JSON.parse(document.getElementById("look").textContent);
const day = Object.fromEntries(Object.entries(night).map(([a, b]) => [b, a]));
const root = document.documentElement;
const PAPER = 680; // pixels of a line on A4 and on Letter
let ready = false; // whether Plotly has been run

function dataOf(node) {
  const id = node.closest(".experiment").id;
  if (!data.has(id))
    data.set(id, JSON.parse(document.getElementById(`${id}-data`).textContent));
  return data.get(id);
}

/** Swaps every colour in a figure for another one, in place. */
function recolour(part, colours) {
  for (const [key, value] of Object.entries(part))
    if (typeof value === "string") part[key] = colours[value] ?? value;
    else if (value && typeof value === "object" && typeof value[0] !== "number")
      recolour(value, colours);
}

const cut = (text, room) =>
  text.length > room ? `${text.slice(0, room - 1)}…` : text;
const plain = (text) => String(text).replaceAll("&", "&amp;")
  .replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Lays the panels out in columns that fit, and leaves room around them. */
function fit({data: traces, layout}, width) {
  const own = layout.meta;
  const narrow = width < 560;
  if (!own) { // Of one panel without axes, which knows its own height.
    Object.assign(layout, {width, autosize: false});
    return;
  }
  const columns = Math.max(1, Math.min(own.columns,
    Math.floor((width - 90) / own.least)));
  const rows = Math.ceil(own.panels / columns);
  const shares = (axis) => own.share.includes(axis);
  const gap = [shares("y") ? 26 : 76, shares("x") ? 40 : 76];
  const margin = {l: 62, r: layout.coloraxis ? 92 : 16};
  const inner = width - margin.l - margin.r;
  const listed = traces.filter((trace) => trace.showlegend)
    .map((trace) => trace.name.length);
  const entry = Math.min(inner, 72 + 6.5 * Math.max(0, ...listed));
  const legend = listed.length < 2 ? 0
    : 21 * Math.ceil(listed.length / Math.max(1, Math.floor(inner / entry)));
  const side = (inner + gap[0]) / columns - gap[0];
  const high = own.height || side;
  const plot = rows * (high + gap[1]) - gap[1];
  const menus = layout.updatemenus ?? [];
  margin.t = 12 + 22 * own.titled + 46 * (menus.length > 0);
  margin.b = 62 + legend + 96 * Boolean(layout.sliders);
  for (const menu of menus) menu.pad.b = 8 + 22 * own.titled;
  if (layout.sliders) layout.sliders[0].pad = {t: 62 + legend, l: 4};
  Object.assign(layout, {width, margin, showlegend: legend > 0, autosize: false,
    height: plot + margin.t + margin.b, dragmode: narrow ? false : "zoom"});
  layout.grid = {rows, columns, pattern: "independent",
    xgap: gap[0] / (side + gap[0]), ygap: gap[1] / (high + gap[1])};
  layout.legend = {y: -58 / plot, entrywidth: entry - 64};
  for (let i = 0; i < own.panels; i++) {
    const end = i ? i + 1 : "";
    for (const [letter, outer] of [["x", i + columns >= own.panels],
      ["y", i % columns === 0]]) {
      const axis = layout[`${letter}axis${end}`];
      axis.title.full ??= axis.title.text;
      const shown = outer || !shares(letter);
      axis.title.text = shown ? axis.title.full : "";
      axis.showticklabels = shown;
      if (own.names[letter + end])
        axis.ticktext = axis.tickvals.map((place) =>
          plain(cut(own.names[letter + end][place], narrow ? 18 : 40)));
    }
  }
}

/** Draws a chart, or draws it again where it is drawn. */
function draw(node, width = node.clientWidth) {
  if (!ready || !width || node.hidden) return;
  if (node.drawn && !node.make) {
    fit({data: node.data, layout: node.layout}, width);
    Plotly.redraw(node);
    return;
  }
  const figure = node.make?.() ?? dataOf(node).charts[node.dataset.chart];
  figure.layout.template = {layout: structuredClone(look)};
  if (root.dataset.theme === "dark") recolour(figure, night);
  fit(figure, width);
  Plotly.react(node, figure.data, figure.layout,
    {displayModeBar: false, responsive: false});
  if (node.drawn) return;
  node.drawn = true;
  node.style.minHeight = 0;
  node.watch?.();
  if (node.make) return;
  if (figure.frames.length) Plotly.addFrames(node, figure.frames);
  reach(node);
  node.on("plotly_afterplot", () => reach(node));
  node.on("plotly_animated", () => showSeeds(node));
  node.on("plotly_restyle", ([update]) => {
    if ("visible" in update) hideAlike(node);
  });
}

/** Hides in all charts of an experiment the arms that one of them hides. */
function hideAlike(source) {
  const seen = new Map(source.data.filter((own) => own.showlegend)
    .map((own) => [own.legendgroup, own.visible ?? true]));
  for (const node of source.closest(".experiment").querySelectorAll(".chart")) {
    if (node === source || !node.drawn || node.make) continue;
    // What is so already is left alone: each change calls this again.
    const found = node.data.map((own, i) => [seen.get(own.legendgroup), i])
      .filter(([now, i]) => now !== undefined
        && now !== (node.data[i].visible ?? true));
    if (found.length)
      Plotly.restyle(node, {visible: found.map(([now]) => now)},
        found.map(([, i]) => i));
  }
}

/** The area between two lines, in pieces where either has no value. */
function outline(x, low, high) {
  const pieces = [[]];
  low.forEach((end, i) => {
    if (end === null) pieces.push([]);
    else pieces.at(-1).push(i);
  });
  const around = (ahead, back) => pieces.filter((own) => own.length)
    .flatMap((own) => [...own.map((i) => ahead[i]),
      ...[...own].reverse().map((i) => back[i]), null]);
  return {x: around(x, x), y: around(low, high)};
}

/** Shows the mean and the range of the chosen seeds, or the line of each. */
function showSeeds(node) {
  const host = node.closest("section").querySelector(".seeds");
  if (!host || !node.drawn) return;
  const boxes = [...host.querySelectorAll("[value]")];
  const chosen = boxes.filter((box) => box.checked).map((box) => +box.value);
  const each = host.querySelector("[name=each]").checked;
  host.querySelector("output").textContent = chosen.length === boxes.length
    ? `all ${boxes.length}` : `${chosen.length} of ${boxes.length}`;
  const lines = new Map(); // panel and arm -> its seeds, mean and band
  node.data.forEach((own, place) => {
    const meta = own.meta ?? {};
    if (!("seed" in meta || meta.over)) return;
    const key = `${own.xaxis} ${own.legendgroup}`;
    lines.set(key, [...lines.get(key) ?? [], {own, place, meta}]);
  });
  const update = {x: [], y: [], customdata: [], opacity: [], hoverinfo: []};
  const places = [];
  const set = ({own, place}, change) => {
    places.push(place);
    for (const [key, values] of Object.entries(update))
      values.push(change[key] ?? own[key]);
  };
  for (const parts of lines.values()) {
    const [mean, band] = ["mean", "band"].map((over) =>
      parts.find(({meta}) => meta.over === over));
    const seeds = parts.filter(({meta}) => "seed" in meta);
    const kept = seeds.filter(({meta}) => chosen.includes(meta.seed));
    const at = mean.own.x.map((_, i) =>
      kept.map(({own}) => own.y[i]).filter(Number.isFinite));
    const over = (reduce) => at.map((own) => own.length ? reduce(own) : null);
    const low = over((own) => Math.min(...own));
    const high = over((own) => Math.max(...own));
    for (const seed of seeds) {
      const on = each && kept.includes(seed);
      set(seed, {opacity: on ? 0.8 : 0, hoverinfo: on ? "all" : "skip"});
    }
    set(mean, {opacity: each ? 0 : 1, hoverinfo: each ? "skip" : "all",
      y: over((own) => own.reduce((a, b) => a + b) / own.length),
      customdata: at.map((own, i) => own.length
        ? ` (${+low[i].toPrecision(4)} to ${+high[i].toPrecision(4)})` : "")});
    if (band) set(band, {opacity: each ? 0 : 0.16,
      ...outline(mean.own.x, low, high)});
  }
  Plotly.restyle(node, update, places);
}

/** Makes Plotly's legend, buttons and slider reachable by the keyboard. */
function reach(node) {
  const found = ".legendtoggle, .updatemenu-button, .slider-grip-rect";
  for (const control of node.querySelectorAll(found)) {
    const slider = control.matches(".slider-grip-rect");
    control.setAttribute("tabindex", 0);
    control.setAttribute("role", slider ? "slider" : "button");
    const text = control.closest(".traces, .updatemenu-button")?.textContent;
    control.setAttribute("aria-label", slider ? "Step" : text);
    if (slider) {
      const {active, steps} = node.layout.sliders[0];
      control.setAttribute("aria-valuetext", steps[active].label);
    }
    control.onkeydown = (event) => {
      const back = {ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9};
      if (slider && back[event.key]) slide(node, back[event.key]);
      else if (!slider && ["Enter", " "].includes(event.key)) press(control);
      else return;
      event.preventDefault();
    };
  }
}

function press(control) {
  for (const kind of ["mousedown", "mouseup", "click"])
    control.dispatchEvent(new MouseEvent(kind, {bubbles: true, view: window}));
}

function slide(node, by) {
  const {active, steps} = node.layout.sliders[0];
  const to = Math.min(steps.length - 1, Math.max(0, active + by));
  Plotly.relayout(node, {"sliders[0].active": to});
  Plotly.animate(node, ...steps[to].args);
}

/** All numbers of a chart: a row for each. */
function rowsOf({data: traces, layout, frames}) {
  const title = (axis) => layout[axis].title.full ?? layout[axis].title.text;
  const rows = [["step", "panel", "name", "of", title("xaxis"),
    title("yaxis") || "row", layout.coloraxis?.colorbar.title.text ?? ""]];
  const add = (step, own, moved) => {
    const {of, panel, name} = own.meta;
    if (of === undefined) return;
    const {x, y, z, customdata = []} = {...own, ...moved};
    const at = (axis, value) => layout.meta.names[axis]?.[value] ?? value;
    const [across, down] = [own.xaxis, own.yaxis];
    if (z) z.forEach((line, r) => line.forEach((value, c) => rows.push(
      [step, panel, name, of, at(across, c), at(down, r), value])));
    else x.forEach((value, i) => rows.push([step, panel, name,
      of || String(customdata[i] ?? "").replace(/^, /, ""),
      at(across, value), at(down, y[i]),
      own.error_x?.array[i] ?? own.error_y?.array[i] ?? ""]));
  };
  if (!frames.length) traces.forEach((own) => add("", own, {}));
  for (const {name, data: moved, traces: places} of frames)
    places.forEach((place, i) => add(name, traces[place], moved[i]));
  return rows;
}

function save(name, rows) {
  const cell = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    // What a spreadsheet would take for a formula is told to be text.
    if (/^[=+\-@\t\r]/.test(text) && isNaN(text)) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const text = rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  const url = URL.createObjectURL(new Blob([text], {type: "text/csv"}));
  const link = document.createElement("a");
  Object.assign(link, {href: url, download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const actions = {
  csv(button) {
    const host = button.closest("section, .table");
    const [chart, table] = [".chart", "table"].map((x) => host.querySelector(x));
    const rows = host.matches(".predictions") ? predictionRows(dataOf(host))
      : host.rows ? host.rows()
      : chart ? rowsOf(chart.drawn ? {data: chart.data, layout: chart.layout,
        frames: dataOf(chart).charts[chart.dataset.chart].frames}
        : dataOf(chart).charts[chart.dataset.chart])
      : [...table.rows].map((row) => [...row.cells].map((x) => x.textContent));
    save(button.dataset.file, rows);
  },
  image(button) {
    const chart = button.closest("section").querySelector(".chart");
    Plotly.downloadImage(chart, {format: "svg", width: chart.layout.width,
      height: chart.layout.height, filename: button.dataset.file});
  },
  async copy(button) {
    const block = button.closest(".command").querySelector("pre");
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block);
      button.textContent = "Selected";
    }
  },
  seeds(button) {
    const boxes = [...button.parentElement.querySelectorAll("[value]")];
    const on = !boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = on;
    showSeeds(button.closest("section").querySelector(".chart"));
  },
  dark() { setTheme(root.dataset.theme !== "dark", true); },
};

function setTheme(dark, keep) {
  if (keep) try {
    localStorage.setItem("bnjax-theme", dark ? "dark" : "light");
  } catch { /* A file may have no storage. */ }
  const change = (root.dataset.theme === "dark") !== dark;
  root.dataset.theme = dark ? "dark" : "light";
  document.querySelector("[data-do=dark]").setAttribute("aria-pressed", dark);
  for (const node of charts) if (change && node.drawn) {
    if (node.make) {
      draw(node);
      continue;
    }
    recolour(node.data, dark ? night : day);
    recolour(node.layout, dark ? night : day);
    Plotly.redraw(node);
  }
}

/** Runs Plotly, which takes longer than all else, and draws what is in view. */
function loadPlotly() {
  const source = document.getElementById("plotly");
  if (!source.textContent) return;
  const script = document.createElement("script");
  script.textContent = source.textContent;
  document.head.append(script);
  source.remove();
  ready = true;
  const watcher = new IntersectionObserver((entries) => {
    for (const {isIntersecting, target} of entries)
      if (isIntersecting && !target.drawn) draw(target);
  }, {rootMargin: "400px"});
  for (const node of charts) watcher.observe(node);
  performance.mark("bnjax:charts");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) actions[button.dataset.do](button);
});
document.addEventListener("change", ({target}) => {
  if (target.closest(".seeds"))
    showSeeds(target.closest("section").querySelector(".chart"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change",
  (event) => setTheme(event.matches, false));
let width = innerWidth;
let timer = null;
addEventListener("resize", () => {
  if (innerWidth === width) return; // A phone's address bar came or went.
  width = innerWidth;
  clearTimeout(timer);
  timer = setTimeout(() => {
    for (const node of charts) if (node.drawn) draw(node);
  }, 150);
});
let wasDark = false;
addEventListener("beforeprint", () => {
  wasDark = root.dataset.theme === "dark";
  setTheme(false, false);
  for (const fold of document.querySelectorAll(".more-charts")) fold.open = true;
  for (const node of charts) draw(node, PAPER);
});
addEventListener("afterprint", () => {
  setTheme(wasDark, false);
  for (const node of charts) draw(node);
});
setTheme(root.dataset.theme === "dark", false);
for (const host of document.querySelectorAll(".predictions"))
  showPredictions(host, dataOf(host));
for (const host of document.querySelectorAll(".judged"))
  filterTable(host, ["claim or number", "claims and numbers"]);
for (const host of document.querySelectorAll(".sweep"))
  showPoints(host, dataOf(host).points, draw);
performance.mark("bnjax:interactive");
setTimeout(() => {
  loadPlotly();
  performance.mark("bnjax:complete");
}, 0);
