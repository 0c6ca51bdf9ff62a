// Fills the parts of each experiment.

const PARTS = {values: valuesPart, curves: curvesPart, fields: fieldsPart,
  heat_map: heatMapPart, layers: layersPart, histograms: histogramsPart,
  percentiles: percentilesPart, predictions: predictionsPart};
const CHARTLESS = new Set(["predictions"]);

function fill(section) {
  const source = document.getElementById(`${section.id}-data`);
  const data = JSON.parse(source.textContent);
  const arms = new Arms(data.arms);
  const charted = typeof Plotly !== "undefined";
  for (const host of section.querySelectorAll("[data-part]")) {
    const key = host.dataset.part;
    if (key === "arms") {
      if (charted) arms.fill(host);
      else host.remove();
    } else if (charted || CHARTLESS.has(key)) {
      PARTS[key](host, data[key], arms, data.name);
    } else host.remove();
  }
  addTableButtons(section, data.name);
  addCopyButtons(section);
}

function start() {
  setUpTheme();
  const sections = [...document.querySelectorAll(".experiment")];
  // The first at once, the others in turn: the page answers in between.
  const next = () => {
    if (!sections.length) return;
    fill(sections.shift());
    setTimeout(next, 20);
  };
  next();
  let width = innerWidth;
  let timer = null;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // A phone's address bar came or went.
    width = innerWidth;
    clearTimeout(timer);
    timer = setTimeout(updateCharts, 150);
  });
  // Everything answers now; charts are drawn as they come into view.
  performance.mark("bnjax:interactive");
}

start();
