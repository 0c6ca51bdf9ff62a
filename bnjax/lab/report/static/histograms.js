// Histograms: a plot a layer, an outline an arm, with a slider over steps.

const LAYERS = 12; // plots at once

function histogramsPart(host, data, arms, name) {
  const state = {own: data[0]};
  const controls = element("div", {class: "controls"});
  const sliderHost = element("div", {class: "set slider"});
  const flags = group("Axes");
  const pages = element("div", {class: "set"});
  const place = element("div", {class: "charts"});
  const said = element("p", {class: "said"});
  const chart = new Chart(place, "Histograms of each layer",
    (width) => histogramFigure(state, arms, width));
  const redraw = () => {
    chart.update();
    const seeds = most(state.own.arms.flatMap((arm) =>
      arm.cells.flat().map((cell) => cell?.seeds ?? 0)));
    const zeros = state.own.logarithms
      ? " · numbers that are exactly 0 are left out" : "";
    said.textContent = `Density of ${plural(seeds, "seed")} together${
      state.equal ? ", each arm's as high as its peak" : ""}${zeros}.`;
  };
  const choose = (own) => {
    Object.assign(state, {own, step: own.steps.length - 1, from: 0,
      log: own.log_counts, shared: own.shared, equal: true});
    const slider = stepSlider(own.steps, (i) => { state.step = i; redraw(); });
    sliderHost.replaceChildren(slider);
    sliderHost.hidden = slider.hidden;
    flags.replaceChildren(
      toggle("log density", state.log, (on) => { state.log = on; redraw(); }),
      toggle("equal heights", state.equal,
        (on) => { state.equal = on; redraw(); }),
      toggle("same x axis", state.shared,
        (on) => { state.shared = on; redraw(); }));
    const starts = own.layers.map((_, i) => i).filter((i) => i % LAYERS === 0);
    pages.hidden = starts.length < 2;
    pages.replaceChildren(choice("Layers", starts.map((i) => [i,
      `${i + 1} to ${Math.min(i + LAYERS, own.layers.length)}`]), 0,
    (value) => { state.from = Number(value); redraw(); }));
    redraw();
  };
  controls.append(...probeChoice(data, choose), sliderHost, pages, flags);
  besideHeading(host,
    csvButton(`${name}-histograms`, () => histogramRows(data, arms)));
  host.append(controls, place, said);
  choose(data[0]);
  arms.listen(redraw);
}

/** The edges of a histogram's bins. */
function edgesOf(cell) {
  const bins = cell.counts.length;
  return cell.edges ?? Array.from({length: bins + 1}, (_, i) =>
    cell.low + (cell.high - cell.low) * i / bins);
}

/** Where all but one in a thousand are, at either end. */
function bulk(cell) {
  const edges = edgesOf(cell);
  const few = cell.counts.reduce((a, b) => a + b, 0) / 1000;
  let [first, last] = [0, cell.counts.length - 1];
  for (let sum = cell.counts[first]; sum < few;) sum += cell.counts[++first];
  for (let sum = cell.counts[last]; sum < few;) sum += cell.counts[--last];
  return [edges[first], edges[last + 1]];
}

function histogramFigure(state, arms, width) {
  const {own, step, log} = state;
  const layers = own.layers.slice(state.from, state.from + LAYERS);
  const shown = own.arms.filter((arm) => arms.has(arm.arm));
  const {places, height, margin} = tiles(layers.length, width,
    {least: 210, ratio: 0.62, columns: 4, gap: [30, 52],
      margin: {l: 24, r: 16, t: 36, b: 54}});
  const traces = [];
  const layout = {height, margin, annotations: [], hovermode: "closest"};
  // Over all steps, so that the axes stand still while the slider moves.
  const ends = layers.map((_, i) => {
    const all = shown.flatMap((arm) => arm.cells.map((row) =>
      row[state.from + i])).filter(Boolean).map(bulk);
    return [least(all.map((e) => e[0])), most(all.map((e) => e[1]))];
  });
  const every = [least(ends.map((e) => e[0])), most(ends.map((e) => e[1]))];
  layers.forEach((layer, i) => {
    const at = places[i];
    for (const arm of shown) {
      const cell = arm.cells[step]?.[state.from + i];
      if (cell) traces.push(outline(cell, arms, arm.arm, at, state));
    }
    layout.annotations.push(heading(layer.replaceAll("_", " "), at.number));
    const range = state.shared ? every : ends[i];
    layout[at.xaxis] = {domain: at.xdomain, anchor: at.y, nticks: 5,
      tickprefix: own.logarithms ? "1e" : "",
      ...(Number.isFinite(range[0]) && range[0] < range[1] ? {range} : {}),
      title: {text: at.last ? plain(own.label || (own.logarithms
        ? `size of ${own.words}` : own.words)) : "", standoff: 4}};
    layout[at.yaxis] = {domain: at.ydomain, anchor: at.x, visible: false,
      type: log ? "log" : "linear", rangemode: log ? "normal" : "tozero"};
  });
  return {data: traces, layout};
}

function outline(cell, arms, arm, at, state) {
  const edges = edgesOf(cell);
  const total = cell.counts.reduce((a, b) => a + b, 0);
  const density = cell.counts.map((count, i) =>
    count / total / (edges[i + 1] - edges[i] || 1));
  const peak = state.equal ? most(density) : 1;
  const height = density.map((own) => place(own / peak, state.log));
  const colour = arms.colour(arm);
  const zeros = cell.zeros === null ? "" :
    `<br>exactly 0: ${brief(100 * cell.zeros, 3)}%`;
  return {type: "scatter", mode: "lines", xaxis: at.x, yaxis: at.y,
    x: edges, y: [...height, height.at(-1)],
    customdata: [...density, density.at(-1)],
    line: {shape: "hv", color: colour, width: 1.4},
    fill: state.log ? "none" : "tozeroy", fillcolor: clear(colour, 0.14),
    name: arms.name(arm), hoverinfo: "text",
    hovertemplate: `%{fullData.name}<br>%{x:.3~g}: density %{customdata:.3~g}${zeros}` +
      "<extra></extra>"};
}

function histogramRows(data, arms) {
  const rows = [["probe", "point", "arm", "layer", "step", "low", "high",
    "count"]];
  for (const own of data)
    for (const arm of own.arms)
      arm.cells.forEach((layers, s) => layers.forEach((cell, l) => {
        if (!cell) return;
        const edges = edgesOf(cell);
        cell.counts.forEach((count, i) => rows.push([own.probe, own.point,
          arms.list[arm.arm].name, own.layers[l], own.steps[s], edges[i],
          edges[i + 1], count]));
      }));
  return rows;
}
