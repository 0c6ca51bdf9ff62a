// A metric over two fields of the grid, a map an arm, with values on hover.

function heatMapPart(host, data, arms, name) {
  const fields = Object.keys(data.axes);
  const state = {metric: data.metrics[data.metric] ? data.metric
    : Object.keys(data.metrics)[0], step: null, x: data.x, y: data.y};
  const controls = element("div", {class: "controls"});
  const sliderHost = element("div", {class: "set"});
  const place = element("div", {class: "charts"});
  const said = element("p", {class: "said"});
  const steps = () => data.arms[0].metrics[state.metric]?.steps ?? [0];
  const chart = new Chart(place, "A metric over two fields of the grid",
    (width) => mapFigure(data, arms, state, width));
  const redraw = () => {
    chart.update();
    said.textContent = saidOfMap(data, state);
  };
  const choose = (metric) => {
    state.metric = metric;
    state.step = steps().length - 1;
    const slider = stepSlider(steps(), (i) => { state.step = i; redraw(); });
    sliderHost.replaceChildren(slider);
    sliderHost.hidden = slider.hidden;
    redraw();
  };
  controls.append(choice("Show", Object.entries(data.metrics).map(
    ([metric, own]) => [metric, sentence(own.words)]), state.metric, choose));
  if (fields.length > 2) {
    const label = (field) => [field, data.labels[field]];
    for (const side of ["x", "y"])
      controls.append(choice(side, fields.map(label), state[side], (field) => {
        const other = side === "x" ? "y" : "x";
        if (state[other] === field) state[other] = state[side];
        state[side] = field;
        redraw();
      }));
  }
  controls.append(sliderHost);
  besideHeading(host,
    csvButton(`${name}-grid`, () => mapRows(data, arms)));
  host.append(controls, place, said);
  choose(state.metric);
  arms.listen(redraw);
}

function saidOfMap(data, state) {
  const own = data.arms[0];
  const step = own.metrics[state.metric]?.steps[state.step] ?? 0;
  const parts = [`mean of ${plural(own.seeds, "seed")} after ` +
    plural(step, "step")];
  if (own.fields.length > 2)
    parts.push("the best over the grid's other fields");
  if (state.metric === data.threshold_metric)
    parts.push(`white line: ${data.threshold}`);
  if (data.arms.some((arm) => arm.diverged.some(Boolean)))
    parts.push("cross: runs diverged");
  const missing = data.arms.reduce((sum, arm) => sum + arm.missing, 0);
  if (missing) parts.push(`${plural(missing, "point")} not run yet`);
  return `${parts.join(" · ")}.`;
}

/** The cells of one arm: values, what is said of them, where runs diverged. */
function cells(own, data, state) {
  const [xs, ys] = [data.axes[state.x], data.axes[state.y]];
  const found = own.metrics[state.metric];
  const rows = (fill) => ys.map(() => xs.map(() => fill));
  const made = {z: rows(null), text: rows("no run"), crosses: []};
  if (!found) return made;
  const column = Math.min(state.step, found.steps.length - 1);
  const better = /loss$/.test(state.metric) ? (a, b) => a < b
    : (a, b) => a > b;
  own.points.forEach((point, i) => {
    const values = Object.fromEntries(own.fields.map((f, k) => [f, point[k]]));
    const [c, r] = [xs.indexOf(values[state.x]), ys.indexOf(values[state.y])];
    const mean = found.mean[column][i];
    const old = made.z[r][c];
    const first = made.text[r][c] === "no run";
    if (!first && (mean === null || (old !== null && !better(mean, old))))
      return;
    made.z[r][c] = mean;
    const spread = found.std[column][i];
    made.text[r][c] = [
      ...own.fields.map((f) => `${data.labels[f]}: ${brief(values[f])}`),
      `${data.metrics[state.metric].words}: ${mean === null
        ? "no finite value" : brief(mean)}${spread === null ? ""
        : ` ± ${brief(spread, 2)}`}`,
      ...(own.diverged[i] ? [`diverged: ${own.diverged[i]} of ${own.seeds}`]
        : [])].map(plain).join("<br>");
    made.crosses = made.crosses.filter(([x, y]) => x !== c || y !== r);
    if (own.diverged[i])
      made.crosses.push([c, r, own.diverged[i] / own.seeds]);
  });
  return made;
}

function mapFigure(data, arms, state, width) {
  const shown = data.arms.filter((own) => arms.has(own.arm));
  const [xs, ys] = [data.axes[state.x], data.axes[state.y]];
  const {places, height, margin} = tiles(shown.length || 1, width,
    {least: 260, ratio: 1, columns: 3, gap: [70, 90],
      margin: {l: 66, r: 96, t: 36, b: 62}});
  const info = data.metrics[state.metric];
  const drawn = shown.map((own) => cells(own, data, state));
  const values = finite(drawn.flatMap((own) => own.z.flat()));
  const log = !info.fraction && least(values) > 0
    && most(values) / least(values) > 1000;
  const z = (rows) => log
    ? rows.map((row) => row.map((x) => x === null ? null : Math.log10(x)))
    : rows;
  const low = data.metric === state.metric ? data.low : null;
  const high = data.metric === state.metric ? data.high : null;
  const scaled = log ? values.map(Math.log10) : values;
  const colours = {colorscale: "Viridis",
    cmin: low ?? (info.fraction ? 0 : least(scaled)),
    cmax: high ?? (info.fraction ? 1 : most(scaled)),
    colorbar: {thickness: 14, outlinewidth: 0, len: Math.min(1, 320 / height),
      lenmode: "fraction", y: 1, yanchor: "top",
      tickprefix: log ? "1e" : "", tickfont: {color: colour("soft")},
      title: {text: plain(info.unit), side: "right",
        font: {color: colour("soft")}}}};
  const traces = [];
  const layout = {height, margin, coloraxis: colours, annotations: [],
    hovermode: "closest"};
  drawn.forEach((own, i) => {
    const at = places[i];
    const few = Math.max(xs.length, ys.length) <= 6;
    traces.push({type: "heatmap", z: z(own.z), xaxis: at.x, yaxis: at.y,
      coloraxis: "coloraxis", customdata: own.text, xgap: 1, ygap: 1,
      texttemplate: few && !log ? "%{z:.3~g}" : undefined,
      name: arms.name(shown[i].arm), hoverongaps: true,
      hovertemplate: "%{customdata}<extra>%{fullData.name}</extra>"});
    traces.push(...border(own.z, data, state, at), marks(own.crosses, at));
    layout.annotations.push(heading(
      arms.list[shown[i].arm].name, at.number));
    const axis = (values) => ({showgrid: false, ticks: "",
      ...ticks(values, 9)});
    layout[at.xaxis] = {...axis(xs), domain: at.xdomain, anchor: at.y,
      range: [-0.5, xs.length - 0.5], constrain: "domain",
      title: {text: plain(data.labels[state.x])}};
    layout[at.yaxis] = {...axis(ys), domain: at.ydomain, anchor: at.x,
      range: [-0.5, ys.length - 0.5],
      title: {text: at.column ? "" : plain(data.labels[state.y])}};
  });
  return {data: traces, layout};
}

/** Values of a field under its cells; where they are many, some of them. */
function ticks(values, room) {
  const every = Math.ceil(values.length / room);
  const kept = values.map((_, i) => i).filter((i) => i % every === 0);
  return {tickvals: kept, ticktext: kept.map((i) => plain(brief(values[i], 2)))};
}

/** The line between cells that reach the threshold and those that do not. */
function border(z, data, state, at) {
  if (state.metric !== data.threshold_metric) return [];
  const [x, y] = [[], []];
  const on = (r, c) => z[r]?.[c] !== undefined && z[r][c] !== null
    && z[r][c] >= data.threshold;
  for (let r = 0; r < z.length; r++)
    for (let c = 0; c < z[r].length; c++) {
      if (c && on(r, c) !== on(r, c - 1)) {
        x.push(c - 0.5, c - 0.5, null);
        y.push(r - 0.5, r + 0.5, null);
      }
      if (r && on(r, c) !== on(r - 1, c)) {
        x.push(c - 0.5, c + 0.5, null);
        y.push(r - 0.5, r - 0.5, null);
      }
    }
  return [["#222222", 5], ["#ffffff", 2.4]].map(([color, width]) => ({
    type: "scatter", mode: "lines", x, y, xaxis: at.x, yaxis: at.y,
    line: {color, width}, hoverinfo: "skip"}));
}

function marks(crosses, at) {
  return {type: "scatter", mode: "markers", x: crosses.map((own) => own[0]),
    y: crosses.map((own) => own[1]), xaxis: at.x, yaxis: at.y,
    marker: {symbol: "x-thin", size: crosses.map((own) => 5 + 5 * own[2]),
      line: {color: "rgba(255,255,255,0.85)", width: 1.4}},
    hoverinfo: "skip"};
}

function mapRows(data, arms) {
  const fields = Object.keys(data.axes);
  const rows = [["arm", ...fields, "metric", "step", "mean", "std",
    "diverged", "seeds"]];
  for (const own of data.arms)
    for (const [metric, found] of Object.entries(own.metrics))
      found.steps.forEach((step, j) => own.points.forEach((point, i) =>
        rows.push([arms.list[own.arm].name,
          ...fields.map((f) => point[own.fields.indexOf(f)]), metric, step,
          found.mean[j][i], found.std[j][i], own.diverged[i], own.seeds])));
  return rows;
}
