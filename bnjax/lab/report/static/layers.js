// A number of each layer, a line an arm, with a slider over steps.

/** What is shown of several probes: a choice of one where there are more. */
function probeChoice(data, onchange) {
  const text = (own) => own.words + (own.point ? ` at ${own.point}` : "");
  return data.length < 2 ? [] : [choice("Probe",
    data.map((own, i) => [i, sentence(text(own))]), 0,
    (value) => onchange(data[Number(value)]))];
}

function layersPart(host, data, arms, name) {
  const state = {own: data[0]};
  const controls = element("div", {class: "controls"});
  const sliderHost = element("div", {class: "set slider"});
  const flags = group("Axes");
  const place = element("div", {class: "charts"});
  const said = element("p", {class: "said"});
  const chart = new Chart(place, "A number of each layer",
    () => layerFigure(state, arms));
  const redraw = () => {
    chart.update();
    const kind = state.log ? "geometric mean" : "mean";
    const dashed = state.own.reference === null ? ""
      : ` · dashed: ${state.own.reference_text
        || `${brief(state.own.reference)} per layer`}`;
    said.textContent = `line: ${kind} of ` +
      `${plural(state.own.seeds.length, "seed")} · band: smallest to ` +
      `largest${dashed}.`;
  };
  const choose = (own) => {
    Object.assign(state, {own, step: own.steps.length - 1, log: own.log});
    const slider = stepSlider(own.steps, (i) => { state.step = i; redraw(); });
    sliderHost.replaceChildren(slider);
    sliderHost.hidden = slider.hidden;
    flags.replaceChildren(toggle("log values", state.log,
      (on) => { state.log = on; redraw(); }));
    redraw();
  };
  controls.append(...probeChoice(data, choose), flags, sliderHost);
  besideHeading(host,
    csvButton(`${name}-layers`, () => layerRows(data, arms)));
  host.append(controls, place, said);
  choose(data[0]);
  arms.listen(redraw);
}

function layerFigure(state, arms) {
  const {own, step, log} = state;
  const x = own.layers.map(plain);
  const traces = [];
  const middle = (values) => log
    ? Math.exp(average(values.map(Math.log))) : average(values);
  const all = [];
  for (const line of own.arms) {
    if (!arms.has(line.arm)) continue;
    const over = (reduce) => line.values[step].map((row) => {
      const there = finite(row).filter((v) => !log || v > 0);
      return there.length ? reduce(there) : null;
    });
    const [low, mean, high] = [least, middle, most].map(over);
    const colour = arms.colour(line.arm);
    all.push(...finite(mean));
    traces.push({...band(x, low, high), fillcolor: clear(colour, 0.16)},
      {type: "scatter", mode: "lines+markers", x, y: mean,
        name: arms.name(line.arm), line: {color: colour, width: 2},
        marker: {symbol: arms.symbol(line.arm), size: 6, color: colour},
        customdata: low.map((value, i) => [brief(value, 3), brief(high[i], 3)]),
        hovertemplate: "%{fullData.name}, %{x}: %{y:.4~g} " +
          "(%{customdata[0]} to %{customdata[1]})<extra></extra>"});
  }
  traces.push(...reference(own, step, arms, x));
  const span = Math.log10(most(all) / least(all));
  return {data: traces, layout: {
    height: 440, hovermode: "closest",
    annotations: [heading(own.title || sentence(own.words))],
    xaxis: {type: "category", categoryorder: "array", categoryarray: x,
      title: {text: "layer"}, tickangle: x.length > 6 ? -40 : 0},
    yaxis: {type: log ? "log" : "linear", exponentformat: "power",
      dtick: log && span > 1.5 ? Math.ceil(span / 8) : undefined,
      title: {text: plain(own.label || own.words)}},
  }};
}

/** A line that grows by a factor per layer going back from the last one. */
function reference(own, step, arms, x) {
  if (own.reference === null) return [];
  const line = own.arms.find((arm) =>
    arms.list[arm.arm].name === own.reference_arm) ?? own.arms[0];
  const last = x.length - 1;
  const there = finite(line.values[step][last]).filter((v) => v > 0);
  if (!there.length) return [];
  const end = Math.exp(average(there.map(Math.log)));
  return [{type: "scatter", mode: "lines", x, name: "reference",
    y: x.map((_, i) => end * own.reference ** (last - i)),
    line: {color: colour("soft"), width: 1.3, dash: "dash"},
    hoverinfo: "skip"}];
}

function layerRows(data, arms) {
  const rows = [["probe", "point", "arm", "layer", "step", "seed", "value"]];
  for (const own of data)
    for (const line of own.arms)
      line.values.forEach((layers, s) => layers.forEach((row, l) =>
        row.forEach((value, k) => rows.push([own.probe, own.point,
          arms.list[line.arm].name, own.layers[l], own.steps[s],
          own.seeds[k], value]))));
  return rows;
}
