// A chart: drawn by Plotly when it comes into view, and again on any change.

const SETTINGS = {displaylogo: false, scrollZoom: false, responsive: false,
  modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"]};
const FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

const charts = new Set();
let ready = false; // whether Plotly has been run

/** Runs Plotly, which takes longer than all else, and draws what waits. */
function loadPlotly() {
  const source = document.getElementById("plotly");
  document.head.append(element("script", {}, source.textContent));
  source.remove();
  ready = true;
  for (const chart of charts) if (chart.shown) chart.draw();
  performance.mark("bnjax:charts");
}

const byNode = new Map();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries)
    if (entry.isIntersecting) byNode.get(entry.target)?.show();
}, {rootMargin: "400px"});

class Chart {
  /** build(width) gives {data, layout} with layout.height; null for nothing. */
  constructor(host, label, build) {
    this.node = element("div", {class: "chart", role: "figure",
      "aria-label": label});
    this.build = build;
    this.shown = false;
    this.waiting = false;
    host.append(this.node);
    charts.add(this);
    byNode.set(this.node, this);
    watcher.observe(this.node);
  }

  show() {
    if (this.shown) return;
    this.shown = true;
    watcher.unobserve(this.node);
    this.draw();
  }

  /** Draws again, once, however often it is asked for. */
  update() {
    if (!this.shown || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (charts.has(this)) this.draw();
    });
  }

  draw() {
    if (!ready) return;
    const width = this.node.clientWidth;
    if (!width) return;
    const {data, layout} = this.build(width);
    this.node.style.minHeight = `${layout.height}px`;
    return Plotly.react(this.node, data, complete(layout, width), SETTINGS);
  }

  remove() {
    charts.delete(this);
    byNode.delete(this.node);
    watcher.unobserve(this.node);
    if (this.shown && ready) Plotly.purge(this.node);
    this.node.remove();
  }
}

function updateCharts() {
  for (const chart of charts) chart.update();
}

/** A layout with what all charts have in common. */
function complete(layout, width) {
  const text = colour("text");
  const soft = colour("soft");
  const axis = {gridcolor: colour("grid"), linecolor: colour("line"),
    zeroline: false, tickfont: {color: soft}, title: {font: {color: soft}},
    automargin: true};
  const made = {
    width, autosize: false, showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: {family: FONT, size: 12, color: text},
    margin: {l: 60, r: 16, t: 36, b: 48},
    hoverlabel: {bgcolor: colour("panel"), bordercolor: colour("line"),
      font: {color: text, family: FONT, size: 12}, align: "left",
      namelength: -1},
    modebar: {bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: text},
    ...layout,
  };
  for (const name of Object.keys(made).filter((x) => /^[xy]axis\d*$/.test(x))) {
    const own = made[name];
    made[name] = {...axis, ...own, title: {...axis.title, ...own.title}};
  }
  return made;
}

/** The heading of a chart, or of a place in it. */
function heading(text, axis = null) {
  const made = {text: `<b>${plain(text)}</b>`, showarrow: false, x: 0, y: 1,
    xanchor: "left", yanchor: "bottom", yshift: 6, xref: "paper",
    yref: "paper", font: {size: axis ? 12 : 13}};
  if (axis) {
    made.xref = `x${axis} domain`.replace("x1 ", "x ");
    made.yref = `y${axis} domain`.replace("y1 ", "y ");
  }
  return made;
}

/**
 * Places of several plots in one chart: columns that fit, and their axes.
 * Each has x and y for traces, xaxis and yaxis for the layout, and a domain.
 */
function tiles(count, width, {least: side = 240, ratio = 0.75, columns: limit =
  4, gap = [50, 62], margin = {l: 60, r: 16, t: 36, b: 52}} = {}) {
  const inner = width - margin.l - margin.r;
  const columns = Math.max(1, Math.min(count, limit,
    Math.floor((inner + gap[0]) / (side + gap[0]))));
  const rows = Math.ceil(count / columns);
  const across = (inner - gap[0] * (columns - 1)) / columns;
  const down = across * ratio;
  const all = down * rows + gap[1] * (rows - 1);
  const made = [];
  for (let i = 0; i < count; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const left = column * (across + gap[0]) / inner;
    const top = 1 - row * (down + gap[1]) / all;
    const end = i ? String(i + 1) : "";
    made.push({x: `x${end}`, y: `y${end}`, xaxis: `xaxis${end}`,
      yaxis: `yaxis${end}`, number: i + 1, row, column,
      last: i + columns >= count,
      xdomain: [left, Math.min(1, left + across / inner)],
      ydomain: [Math.max(0, top - down / all), top]});
  }
  return {places: made, height: all + margin.t + margin.b, margin, columns};
}

/** The band between two curves, in pieces where either has no value. */
function band(x, low, high) {
  const [bx, by] = [[], []];
  let start = null;
  for (let i = 0; i <= x.length; i++) {
    const there = i < x.length && low[i] !== null && high[i] !== null;
    if (there && start === null) start = i;
    if (there || start === null) continue;
    const piece = Array.from({length: i - start}, (_, k) => start + k);
    const back = [...piece].reverse();
    bx.push(...piece.map((k) => x[k]), ...back.map((k) => x[k]), null);
    by.push(...piece.map((k) => high[k]), ...back.map((k) => low[k]), null);
    start = null;
  }
  return {x: bx, y: by, fill: "toself", mode: "lines", line: {width: 0},
    hoverinfo: "skip", type: "scatter"};
}

/** Values for an axis: a logarithmic one has no place for 0 or less. */
const place = (value, log) =>
  value === null || (log && value <= 0) ? null : value;
