// Percentiles of a unit over training, as bands: a plot an arm.

function percentilesPart(host, data, arms, name) {
  const state = {own: data[0]};
  const controls = element("div", {class: "controls"});
  const choices = element("div", {class: "set"});
  const place = element("div", {class: "charts"});
  const said = element("p", {class: "said"});
  const chart = new Chart(place, "Percentiles over training",
    (width) => percentileFigure(state, arms, width));
  const redraw = () => {
    chart.update();
    const {own} = state;
    const q = own.texts.length ? own.texts.join(", ") : "percentiles";
    said.textContent = `lines: ${q} over examples, of one unit of the ` +
      `network with seed ${state.seed}.`;
  };
  const choose = (own) => {
    const layers = [...new Set(own.lines.map((line) => line.layer))];
    const seeds = [...new Set(own.lines.map((line) => line.seed))];
    const units = own.lines[0].values[0][0].length;
    Object.assign(state, {own, seed: seeds[0], unit: Math.min(own.unit,
      units - 1), layer: layers.includes(own.layer) ? own.layer : layers[0],
    logX: own.log_x});
    const pick = (label, values, key, show) => values.length < 2 ? []
      : [choice(label, values.map((v) => [v, show(v)]), state[key], (v) => {
        state[key] = key === "layer" ? v : Number(v);
        redraw();
      })];
    choices.replaceChildren(
      ...pick("Layer", layers, "layer", (v) => v.replaceAll("_", " ")),
      ...pick("Unit", [...Array(units).keys()], "unit", String),
      ...pick("Seed", seeds, "seed", String),
      toggle("log steps", state.logX, (on) => { state.logX = on; redraw(); }));
    redraw();
  };
  controls.append(...probeChoice(data, choose), choices);
  besideHeading(host,
    csvButton(`${name}-percentiles`, () => percentileRows(data, arms)));
  host.append(controls, place, said);
  choose(data[0]);
  arms.listen(redraw);
}

function percentileFigure(state, arms, width) {
  const {own} = state;
  const lines = own.lines.filter((line) => arms.has(line.arm)
    && line.layer === state.layer && line.seed === state.seed);
  const {places, height, margin} = tiles(lines.length || 1, width,
    {least: 300, ratio: 0.7, columns: 3, gap: [56, 66]});
  const traces = [];
  const layout = {height, margin, annotations: [], hovermode: "x unified"};
  lines.forEach((line, i) => {
    const at = places[i];
    const x = line.steps.map((step) => place(step, state.logX));
    const count = line.values[0].length;
    const y = Array.from({length: count}, (_, q) =>
      line.values.map((step) => step[q][state.unit] ?? null));
    const colour = arms.colour(line.arm);
    for (let q = 0; q < Math.floor(count / 2); q++)
      traces.push({...band(x, y[q], y[count - 1 - q]), xaxis: at.x,
        yaxis: at.y, fillcolor: clear(colour, 0.16)});
    y.forEach((values, q) => traces.push({type: "scatter", mode: "lines",
      x, y: values, xaxis: at.x, yaxis: at.y,
      line: {color: colour, width: 2 * q === count - 1 ? 2.2 : 1.1},
      name: own.texts[q] ?? String(q),
      hovertemplate: "%{fullData.name}: %{y:.4~g}<extra></extra>"}));
    layout.annotations.push(heading(arms.list[line.arm].name, at.number));
    layout[at.xaxis] = {domain: at.xdomain, anchor: at.y,
      type: state.logX ? "log" : "linear", nticks: 6,
      title: {text: at.last ? "training step (minibatches)" : ""}};
    layout[at.yaxis] = {domain: at.ydomain, anchor: at.x,
      matches: i ? "y" : undefined,
      ...(own.low !== null && own.high !== null
        ? {range: [own.low, own.high]} : {}),
      title: {text: at.column ? "" : plain(own.label
        || `value of ${state.layer.replaceAll("_", " ")}`)}};
  });
  return {data: traces, layout};
}

function percentileRows(data, arms) {
  const rows = [["probe", "point", "arm", "layer", "seed", "step",
    "percentile", "unit", "value"]];
  for (const own of data)
    for (const line of own.lines)
      line.values.forEach((values, s) => values.forEach((units, q) =>
        units.forEach((value, u) => rows.push([own.probe, own.point,
          arms.list[line.arm].name, line.layer, line.seed, line.steps[s],
          own.texts[q] ?? q, u, value]))));
  return rows;
}
