// Curves over training steps: figures of the config, or any metric by itself.

function curvesPart(host, data, arms, name) {
  const single = Object.entries(data.metrics).map(([metric, own]) => ({
    title: "", metrics: [metric], titles: [sentence(own.words)], arms: [],
    log_x: false, log_y: null, low: null, high: null, epochs: false,
    label: ""}));
  const views = [...data.views, ...single];
  const seeds = [...new Set(data.curves.flatMap((own) => own.seeds))]
    .sort((a, b) => a - b);
  const state = {view: views[0], each: false, seeds: new Set(seeds)};
  const timed = data.per_step.every((x) => x !== null);
  const controls = element("div", {class: "controls"});
  const place = element("div", {class: "charts"});
  const said = element("p", {class: "said"});
  let drawn = [];

  const redraw = () => {
    for (const chart of drawn) chart.update();
    said.textContent = saidOfCurves(data, state);
  };
  const start = () => {
    for (const chart of drawn) chart.remove();
    drawn = state.view.metrics.map((metric, i) => new Chart(place,
      `Curves of ${data.metrics[metric].words}`,
      () => curveFigure(data, arms, state, metric, i)));
    redraw();
  };
  const choose = (i) => {
    state.view = views[i];
    Object.assign(state, {logX: state.view.log_x, logY: state.view.log_y,
      epochs: state.view.epochs && timed});
    if (state.logY === null)
      state.logY = !data.metrics[state.view.metrics[0]].fraction;
    flags.replaceChildren(...switches());
    start();
  };
  const switches = () => [
    toggle("log steps", state.logX, (on) => { state.logX = on; redraw(); }),
    toggle("log values", state.logY, (on) => { state.logY = on; redraw(); }),
    ...(timed ? [toggle("epochs", state.epochs,
      (on) => { state.epochs = on; redraw(); })] : []),
  ];
  const flags = group("Axes");
  const names = (list, from) => list.map((view, i) => [from + i,
    view.title || view.metrics.map((m) =>
      sentence(data.metrics[m].words)).join("; ")]);
  const count = data.views.length;
  const groups = [{group: "Metrics", options: names(single, count)}];
  if (count) groups.unshift({group: "Figures", options: names(data.views, 0)});
  controls.append(
    choice("Show", groups, 0, (value) => choose(Number(value))), flags);
  if (seeds.length > 1) {
    controls.append(
      switcher("Line", [[false, "mean and range"], [true, "each seed"]], false,
        (value) => { state.each = value; redraw(); }),
      group("Seeds", ...seeds.map((seed) => toggle(String(seed), true, (on) => {
        if (on) state.seeds.add(seed);
        else state.seeds.delete(seed);
        redraw();
      }))));
  }
  
  besideHeading(host,
    csvButton(`${name}-curves`, () => curveRows(data, arms)));
  host.append(controls, place, said);
  choose(0);
  arms.listen(redraw);
}

function saidOfCurves(data, state) {
  const several = data.curves.some((own) => own.seeds.length > 1);
  const parts = state.each ? ["each line: one seed"]
    : [`line: mean of ${plural(state.seeds.size, "seed")}`,
      ...(several ? ["band: smallest to largest"] : [])];
  const {numbers, curves} = data.published;
  const shown = [...numbers, ...curves].filter((own) =>
    state.view.metrics.includes(own.metric));
  const sets = [...new Set(shown.map((own) => own.dataset).filter(Boolean))];
  if (shown.length)
    parts.push(`dashed: published${sets.length ? ` (${sets.join(", ")})` : ""}`);
  const total = Object.values(data.diverged).flat().length;
  if (total) parts.push(`cross: diverged, ${plural(total, "run")}`);
  if (data.thinned) parts.push("of many steps, evenly spaced ones are here");
  if (state.logX) parts.push("a logarithmic axis has no step 0");
  return `${parts.join(" · ")}.`;
}

function curveFigure(data, arms, state, metric, index) {
  const view = state.view;
  const only = view.arms.length ? new Set(view.arms) : null;
  const shown = data.curves.filter((own) => own.metric === metric
    && arms.has(own.arm) && (!only || only.has(arms.list[own.arm].name)));
  const info = data.metrics[metric];
  const scale = (arm) => state.epochs ? data.per_step[arm] : 1;
  const logs = {x: state.logX, y: state.logY};
  const traces = [];
  for (const curve of shown)
    traces.push(...curveTraces(curve, arms, state, scale(curve.arm), logs));
  const ends = shown.map((own) => own.steps.at(-1) * scale(own.arm));
  const limit = Math.max(...ends, 0) || 1;
  const from = state.logX ? least(shown.flatMap((own) => own.steps
    .filter((step) => step > 0).slice(0, 1)
    .map((step) => step * scale(own.arm)))) : 0;
  const shapes = [];
  for (const rule of data.published.numbers) {
    if (rule.metric !== metric || !shown.some((own) => own.arm === rule.arm))
      continue;
    const step = rule.step * scale(rule.arm);
    const [lines, mark] = publishedLevel(rule, arms, step, limit);
    shapes.push(...lines);
    traces.push(...mark);
  }
  for (const line of data.published.curves)
    if (line.metric === metric && shown.some((own) => own.arm === line.arm))
      traces.push(publishedCurve(line, arms, scale(line.arm)));
  for (const curve of shown)
    traces.push(...crosses(curve, data.diverged[curve.arm], arms, state,
      scale(curve.arm)));
  const title = view.titles[index] || (view.metrics.length === 1 && view.title)
    || sentence(info.words);
  const many = shown.length > 8 || state.each;
  const edge = (value) => Math.log10(value);
  return {data: traces, layout: {
    height: view.metrics.length > 1 ? 320 : 420,
    annotations: [heading(title)], shapes,
    hovermode: many ? "closest" : "x unified", hoverdistance: 30,
    xaxis: {title: {text: state.epochs
      ? "epochs (passes over the training set)"
      : "training step (minibatches)"},
      type: state.logX ? "log" : "linear", hoverformat: ",.5~g",
      dtick: state.logX ? (limit / from > 5000 ? 1 : "D2") : undefined,
      tickformat: ",~g",
      range: state.logX && Number.isFinite(from) ? [edge(from), edge(limit)]
        : [0, limit]},
    yaxis: {title: {text: plain(view.label || info.unit)},
      ...valueAxis(shown, info, view, state)},
  }};
}

/** Fractions up to 1, from 0 or from where values that are all high begin. */
function valueAxis(shown, info, view, state) {
  if (state.logY)
    return {type: "log", exponentformat: "power", dtick: decades(shown)};
  if (view.low !== null || view.high !== null)
    return {type: "linear", autorange: false, range: [
      view.low ?? 0, view.high ?? (info.fraction ? 1 : topOf(shown))]};
  if (!info.fraction) return {type: "linear", exponentformat: "power"};
  const trained = shown.flatMap((own) => own.values.flatMap((row) =>
    finite(row.filter((_, i) => own.steps[i] > 0))));
  const low = least(trained);
  const start = trained.length && low > 0.6
    ? Math.floor(20 * low - 0.2) / 20 : 0;
  return {type: "linear", range: [start, 1.02 - 0.02 * start]};
}

/** Whole decades alone where there are many. */
function decades(shown) {
  const values = finite(shown.flatMap((own) => own.values.flat()))
    .filter((x) => x > 0);
  const span = Math.log10(most(values) / least(values));
  return span > 1.5 ? Math.ceil(span / 7) : undefined;
}

const topOf = (shown) => most(finite(shown.flatMap((own) =>
  own.values.flat())));

function curveTraces(curve, arms, state, scale, logs) {
  const x = curve.steps.map((step) => place(step * scale, logs.x));
  const rows = curve.values.filter((_, i) => state.seeds.has(curve.seeds[i]));
  const own = curve.seeds.filter((seed) => state.seeds.has(seed));
  const colour = arms.colour(curve.arm);
  const common = {type: "scatter", x, name: arms.name(curve.arm),
    mode: arms.marked(curve.arm) || x.length < 2 ? "lines+markers" : "lines",
    marker: {symbol: arms.symbol(curve.arm), size: 6,
      maxdisplayed: 8, color: colour}};
  if (state.each) {
    return rows.map((row, i) => ({...common, opacity: 0.8,
      y: row.map((value) => place(value, logs.y)),
      line: {color: colour, width: 1.3},
      hovertemplate: `%{fullData.name}, seed ${own[i]}: %{y:.4~g}` +
        "<br>%{x:,.5~g}<extra></extra>"}));
  }
  const over = (reduce) => x.map((_, column) => {
    const there = finite(rows.map((row) => row[column]));
    return there.length ? place(reduce(there), logs.y) : null;
  });
  const [low, mean, high] = [least, average, most].map(over);
  const line = {...common, y: mean, line: {color: colour, width: 2.2},
    customdata: low.map((value, i) => [brief(value), brief(high[i])]),
    hovertemplate: "%{fullData.name}: %{y:.4~g}" + (rows.length > 1
      ? " (%{customdata[0]} to %{customdata[1]})" : "") + "<extra></extra>"};
  if (rows.length < 2) return [line];
  return [{...band(x, low, high), fillcolor: clear(colour, 0.16)}, line];
}

/** A published number: its level or range, and its mark at its step. */
function publishedLevel(rule, arms, step, limit) {
  const colour = arms.colour(rule.arm);
  const ranged = rule.low !== null && rule.high !== null;
  const levels = ranged ? [rule.low, rule.high] : [rule.mean];
  const lines = levels.map((level) => ({type: "line", xref: "paper", x0: 0,
    x1: 1, y0: level, y1: level,
    line: {color: colour, width: 1.2, dash: "dash"}}));
  const spread = ranged ? (rule.high - rule.low) / 2 : rule.std || 0;
  const mark = {type: "scatter", mode: "markers", x: [Math.min(step, limit)],
    y: [rule.mean], error_y: {type: "data", array: [spread], color: colour},
    name: arms.name(rule.arm), cliponaxis: false,
    marker: {symbol: "diamond-open", size: 9, color: colour},
    hovertemplate: `%{fullData.name}, published: ${brief(rule.mean)}` +
      `${spread ? ` ± ${brief(spread)}` : ""}<extra></extra>`};
  return [lines, step <= limit ? [mark] : []];
}

function publishedCurve(line, arms, scale) {
  const colour = arms.colour(line.arm);
  return {type: "scatter", mode: "lines+markers",
    x: line.steps.map((step) => step * scale), y: line.values,
    name: arms.name(line.arm),
    line: {color: colour, width: 1.3, dash: "dash"},
    marker: {symbol: "diamond-open", size: 6, color: colour},
    hovertemplate: "%{fullData.name}, published: %{y:.4~g}<extra></extra>"};
}

/** A cross at the last finite value that each diverged run had. */
function crosses(curve, runs, arms, state, scale) {
  return (runs ?? []).filter(([seed]) => state.seeds.has(seed)
    && curve.seeds.includes(seed)).map(([seed, step]) => {
    const values = curve.values[curve.seeds.indexOf(seed)];
    const last = curve.steps.findLastIndex((own, i) =>
      own <= step && values[i] !== null);
    return {type: "scatter", mode: "markers", x: [step * scale],
      y: [last < 0 ? null : values[last]], cliponaxis: false,
      name: arms.name(curve.arm),
      marker: {symbol: "x", size: 9, color: arms.colour(curve.arm),
        line: {color: colour("page"), width: 1}},
      hovertemplate: `%{fullData.name}: seed ${seed} diverged<extra></extra>`};
  });
}

function curveRows(data, arms) {
  const rows = [["arm", "metric", "seed", "step", "value"]];
  for (const own of data.curves)
    own.values.forEach((values, i) => values.forEach((value, j) =>
      rows.push([arms.list[own.arm].name, own.metric, own.seeds[i],
        own.steps[j], value])));
  return rows;
}
