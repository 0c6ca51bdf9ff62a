// Metrics at one step: every seed, the mean, its interval, what is published.

function valuesPart(host, data, arms, name) {
  const controls = element("div", {class: "controls"});
  const place = element("div", {class: "charts narrow"});
  const state = {log: data.some((panel) => panel.log || isWide(panel))};
  const panels = data.map((panel) => new Chart(place,
    `${panel.title}: every seed, mean and published number`,
    (width) => valueFigure(panel, arms, width, state)));
  const redraw = () => panels.forEach((chart) => chart.update());
  if (data.some((panel) => !panel.fraction))
    controls.append(group("Axes", toggle("log values", state.log,
      (on) => { state.log = on; redraw(); })));
  const bounded = data.some((panel) => panel.lines.some((own) =>
    own.bounds.some(Boolean)));
  const parts = ["circles: seeds", "filled: their mean",
    "bar: its 95% interval"];
  if (data.some((panel) => panel.lines.some((own) => own.published.length)))
    parts.push("diamond: published, with its spread");
  if (bounded) parts.push("arrow: at least, or at most, this");
  besideHeading(host,
    csvButton(`${name}-values`, () => valueRows(data, arms)));
  host.append(controls, place,
    element("p", {class: "said"}, `${parts.join(" · ")}.`));
  arms.listen(redraw);
}

/** Whether values are so far apart that small ones would all be at 0. */
function isWide(panel) {
  const all = finite(panel.lines.flatMap((own) => own.values));
  return !panel.fraction && least(all) > 0 && most(all) / least(all) > 1000;
}

function valueFigure(panel, arms, width, state) {
  const all = panel.lines.flatMap((own) => own.values);
  const log = state.log && !panel.fraction && least(finite(all)) > 0;
  const lines = panel.lines.filter((own) => arms.has(own.arm));
  const traces = lines.flatMap((own, i) => valueTraces(own, i, arms, log ? least(finite(all)) / 3 : -Infinity));
  const steps = panel.steps.map((x) => x.toLocaleString("en"));
  const after = steps.length ? `after ${steps[0]}${steps.length > 1
    ? ` to ${steps.at(-1)}` : ""} steps` : "";
  return {data: traces, layout: {
    height: 96 + 27 * Math.max(lines.length, 1), hovermode: "closest",
    margin: {l: 20, r: 20, t: 34, b: 50},
    annotations: [heading(sentence(panel.title))],
    xaxis: {title: {text: plain([panel.unit, after].filter(Boolean)
      .join(", "))}, type: log ? "log" : "linear", nticks: 7,
      exponentformat: "power", range: roundAbout(lines, log),
      hoverformat: ".4~g"},
    yaxis: {range: [lines.length - 0.5, -0.5], showgrid: false,
      tickvals: lines.map((_, i) => i), fixedrange: true,
      ticktext: lines.map((own) => shorten(arms.name(own.arm), width))},
  }};
}

/** The range of all marks, and a little room. */
function roundAbout(lines, log) {
  const all = finite(lines.flatMap((own) => [...own.values,
    ...(own.interval ?? []), ...own.published.flatMap((rule) =>
      [rule.low, rule.high])])).filter((x) => !log || x > 0)
    .map((x) => log ? Math.log10(x) : x);
  if (!all.length) return undefined;
  const [low, high] = [least(all), most(all)];
  const room = (high - low) * 0.04 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

/** A name that leaves room for the chart. */
function shorten(text, width) {
  const room = Math.max(12, Math.floor(width / 18));
  return text.length > room ? `${text.slice(0, room - 1)}…` : text;
}

/** The marks of one arm; none of them further down than the floor. */
function valueTraces(own, row, arms, floor) {
  const colour_ = arms.colour(own.arm);
  const name = arms.name(own.arm);
  const bound = own.bounds.find(Boolean);
  const traces = [];
  if (own.interval)
    traces.push({type: "scatter", mode: "lines",
      x: own.interval.map((end) => Math.max(end, floor)),
      y: [row, row], line: {color: clear(colour_, 0.35), width: 7},
      hoverinfo: "skip"});
  traces.push({type: "scatter", mode: "markers", x: own.values,
    y: own.values.map(() => row), name, customdata: own.seeds,
    marker: {symbol: "circle-open", size: 7, color: colour_},
    hovertemplate: "%{fullData.name}, seed %{customdata}: %{x:.5~g}" +
      "<extra></extra>"});
  if (own.mean !== null) {
    const signs = {1: "≥ ", "-1": "≤ "};
    const text = own.interval ? `<br>95% interval ${
      own.interval.map((x) => brief(x)).join(" to ")}` : "";
    const symbol = {1: "triangle-right", "-1": "triangle-left"}[bound];
    traces.push({type: "scatter", mode: "markers", x: [own.mean], y: [row],
      name, marker: {symbol: symbol ?? "circle", size: 10, color: colour_},
      hovertemplate: `%{fullData.name}: ${signs[bound] ?? ""}` +
        `%{x:.5~g}${text}<extra></extra>`});
  }
  for (const rule of own.published) {
    const data = rule.dataset ? ` (${plain(rule.dataset)})` : "";
    traces.push({type: "scatter", mode: "markers", x: [rule.mean], y: [row],
      name, error_x: {type: "data", symmetric: false,
        array: [rule.high - rule.mean], 
        arrayminus: [rule.mean - Math.max(rule.low, floor)],
        color: colour("text"), thickness: 1.2, width: 4},
      meta: data,
      marker: {symbol: "diamond", size: 9, color: colour("page"),
        line: {color: colour("text"), width: 1.5}},
      hovertemplate: "%{fullData.name}, published%{meta}: %{x:.5~g}" +
        "<extra></extra>"});
  }
  return traces;
}

function valueRows(data, arms) {
  const rows = [["metric", "arm", "step", "seed", "value", "mean",
    "interval_low", "interval_high", "published", "published_low",
    "published_high"]];
  for (const panel of data)
    for (const own of panel.lines)
      own.values.forEach((value, i) => {
        const rule = own.published[0] ?? {};
        rows.push([panel.metric, arms.list[own.arm].name, own.step,
          own.seeds[i], value, own.mean, ...(own.interval ?? [null, null]),
          rule.mean, rule.low, rule.high]);
      });
  return rows;
}
