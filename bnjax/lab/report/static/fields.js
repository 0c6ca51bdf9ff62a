// Metrics over the values of a setting: learning rates, batch sizes.

function fieldsPart(host, data, arms, name) {
  const controls = element("div", {class: "controls"});
  const place = element("div", {class: "charts narrow"});
  const state = {logX: data.some((x) => x.log_x),
    logY: data.some((x) => x.log_y)};
  const panels = data.map((panel) => new Chart(place, panel.title,
    () => fieldFigure(panel, arms, state)));
  const redraw = () => panels.forEach((chart) => chart.update());
  controls.append(group("Axes",
    toggle("log setting", state.logX, (on) => { state.logX = on; redraw(); }),
    toggle("log values", state.logY, (on) => { state.logY = on; redraw(); })));
  besideHeading(host,
    csvButton(`${name}-settings`, () => fieldRows(data)));
  host.append(controls, place, element("p", {class: "said"},
    "line: mean of the seeds · band: smallest to largest."));
  arms.listen(redraw);
}

function fieldFigure(panel, arms, state) {
  const traces = [];
  const texts = [...new Set(panel.lines.flatMap((own) => own.x))];
  for (const own of panel.lines) {
    if (own.arm !== null && !arms.has(own.arm)) continue;
    const colour = shade(own);
    const x = panel.numeric ? own.x : own.x.map(String);
    const over = (reduce) => own.values.map((row) => {
      const there = finite(row);
      return there.length ? place(reduce(there), state.logY) : null;
    });
    const [low, mean, high] = [least, average, most].map(over);
    traces.push({...band(x, low, high), fillcolor: clear(colour, 0.16),
      showlegend: false},
      {type: "scatter", mode: "lines+markers", x, y: mean,
        name: plain(own.name), line: {color: colour, width: 2},
        marker: {symbol: own.symbol || "circle", size: 7, color: colour},
        customdata: low.map((value, i) => [brief(value), brief(high[i])]),
        hovertemplate: "%{fullData.name}: %{y:.4~g} " +
          "(%{customdata[0]} to %{customdata[1]})<extra></extra>"});
  }
  const log = panel.numeric && state.logX && texts.every((x) => x > 0);
  const limits = panel.low !== null || panel.high !== null;
  const few = panel.numeric && texts.length <= 12;
  return {data: traces, layout: {
    height: 380, hovermode: "x unified", showlegend: true,
    legend: {orientation: "h", y: -0.25, font: {size: 11}},
    annotations: [heading(sentence(panel.title))],
    xaxis: {title: {text: plain(panel.x)},
      type: panel.numeric ? (log ? "log" : "linear") : "category",
      ...(few ? {tickvals: texts, ticktext: texts.map((x) => brief(x, 3))}
        : {})},
    yaxis: {title: {text: plain(panel.unit)},
      type: state.logY ? "log" : "linear",
      ...(limits && !state.logY ? {range: [panel.low ?? 0,
        panel.high ?? (panel.fraction ? 1.02 : null)]} : {})},
  }};
}

function fieldRows(data) {
  const rows = [["panel", "line", "setting", "value_of_setting", "seed",
    "value"]];
  for (const panel of data)
    for (const own of panel.lines)
      own.x.forEach((x, i) => own.values[i].forEach((value, j) =>
        rows.push([panel.title, own.name, panel.x, x, own.seeds[i][j],
          value])));
  return rows;
}
