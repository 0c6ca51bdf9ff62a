// Fills the parts of each experiment.

const PARTS = {values: valuesPart, curves: curvesPart, fields: fieldsPart,
  heat_map: heatMapPart, layers: layersPart, histograms: histogramsPart,
  percentiles: percentilesPart, predictions: predictionsPart};
const CHARTLESS = new Set(["predictions"]);

/** What there is to do for one experiment, in small pieces. */
function* pieces(section) {
  const source = document.getElementById(`${section.id}-data`);
  const data = JSON.parse(source.textContent);
  const arms = new Arms(data.arms);
  const charted = hasPlotly();
  addTableButtons(section, data.name);
  addCopyButtons(section);
  for (const host of section.querySelectorAll("[data-part]")) {
    const key = host.dataset.part;
    if (!charted && !CHARTLESS.has(key)) {
      host.remove();
      continue;
    }
    if (key === "arms") arms.fill(host);
    else PARTS[key](host, data[key], arms, data.name);
    yield;
  }
}

const hasPlotly = () =>
  ready || document.getElementById("plotly").textContent !== "";

function* everything() {
  for (const section of document.querySelectorAll(".experiment")) {
    yield* pieces(section);
    // All that the first experiment has answers.
    if (section.id === "experiment-1") {
      performance.mark("bnjax:interactive");
      yield;
      if (hasPlotly()) loadPlotly();
    }
  }
  performance.mark("bnjax:complete");
}

function start() {
  setUpTheme();
  const work = everything();
  const next = () => {
    const until = performance.now() + 30;
    let done = false;
    while (!done && performance.now() < until) done = work.next().done;
    if (!done) setTimeout(next, 0); // What was asked for meanwhile comes first.
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
}

start();
