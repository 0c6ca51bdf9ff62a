// Every point of a sweep: parallel coordinates of its fields and a metric, and
// the learning curves of the points that are chosen there.

const LINES = 300; // that a chart of curves has room for

function showPoints(host, data, draw) {
  const [parallel, learning] = host.querySelectorAll(".chart");
  const status = host.querySelector("[role=status]");
  const every = data.fields[0].at.map((_, row) => row);
  const state = {metric: 0, by: data.fields.findIndex((own) => own.arm),
    mean: false, only: data.fields.map(() => ""), ranges: new Map()};
  const metric = () => data.metrics[state.metric];
  const axes = () => [...data.fields, metric()];
  const names = () => data.fields[state.by]?.groups ?? ["every point"];
  const colors = () => data.fields[state.by]?.colors ?? [data.color];
  const group = (row) => data.fields[state.by]?.group[row] ?? 0;
  const height = ({range: [low, high]}, value) =>
    high > low ? (value - low) / (high - low) : 0.5;
  const fits = (row) => data.fields.every((own, i) =>
    state.only[i] === "" || own.group[row] === Number(state.only[i]))
    && axes().every((own) => {
      const [low, high] = state.ranges.get(own) ?? [-Infinity, Infinity];
      const at = own.at[row] === null ? -1 : height(own, own.at[row]);
      return low <= at && at <= high;
    });
  const chosen = () => every.filter(fits);

  parallel.make = () => {
    const all = axes();
    const rows = every.filter((row) => metric().at[row] !== null);
    const lines = (kept, name, color, look) => ({type: "scatter",
      mode: "lines", name: plain(name), legendgroup: plain(name), meta: {},
      hoverinfo: "skip", ...look, line: {color, width: 1.3},
      x: kept.flatMap(() => [...all.keys(), null]),
      y: kept.flatMap((row) =>
        [...all.map((own) => height(own, own.at[row])), null])});
    const on = new Set(chosen());
    const shapes = all.flatMap((own, i) => {
      const bar = (y0, y1, width) => ({type: "line", x0: i, x1: i, y0, y1,
        line: {color: data.soft, width}});
      const range = state.ranges.get(own);
      return [bar(0, 1, 1), ...(range ? [bar(...range, 7)] : [])];
    });
    const annotations = all.flatMap((own, i) => own.ticks.map((tick, k) => ({
      x: i, y: height(own, tick), text: plain(cut(own.texts[k], 14)),
      xanchor: "left", yanchor: "middle", xshift: 5, yshift: 0,
      bgcolor: data.page, borderpad: 1, font: {size: 11, color: data.soft}})));
    return {frames: [],
      data: [lines(rows.filter((row) => !on.has(row)), "", data.faint,
        {showlegend: false}),
      ...names().map((name, i) => lines(rows.filter((row) =>
        on.has(row) && group(row) === i), name, colors()[i], {opacity: 0.7}))],
      layout: {height: 400, margin: {l: 40, r: 70, t: 16, b: 40}, shapes,
        annotations, showlegend: false, dragmode: innerWidth < 560 ? false
          : "select", selectdirection: "d", selections: [],
        xaxis: {fixedrange: true, showgrid: false, showline: false,
          range: [-0.05, all.length - 0.95], tickvals: [...all.keys()],
          tickangle: innerWidth < 560 ? -30 : 0, ticktext: all.map((own) => plain(cut(own.name, 18)))},
        yaxis: {fixedrange: true, visible: false, range: [-0.04, 1.04]}}};
  };
  parallel.watch = () => {
    // A box over an axis chooses what goes through it there.
    parallel.on("plotly_selected", (event) => {
      if (!event?.range) return;
      const [x, y] = [event.range.x, event.range.y].map((own) =>
        [...own].sort((a, b) => a - b));
      const near = Math.round((x[0] + x[1]) / 2);
      axes().forEach((own, i) => {
        if (i === near || (x[0] <= i && i <= x[1])) state.ranges.set(own, y);
      });
      show();
    });
    parallel.on("plotly_deselect", () => { state.ranges.clear(); show(); });
  };

  learning.make = () => {
    const {steps, curves, name, log} = metric();
    const rows = chosen();
    const shown = state.mean ? rows : rows.slice(0, LINES);
    const found = names().flatMap((text, i) => {
      const own = shown.filter((row) => group(row) === i);
      if (!own.length) return [];
      const look = {type: "scatter", mode: "lines", name: plain(text),
        legendgroup: plain(text), meta: {}};
      if (!state.mean) {
        const say = (row) => data.fields.map((x) =>
          plain(`${x.name} ${x.says[row]}`)).join("<br>");
        return [{...look, opacity: 0.7, showlegend: true,
          line: {color: colors()[i], width: 1.4},
          x: own.flatMap(() => [...steps, null]),
          y: own.flatMap((row) => [...curves[row], null]),
          text: own.flatMap((row) => [...steps, 0].map(() => say(row))),
          hovertemplate: "%{y:.4~g}<br>%{text}<extra></extra>"}];
      }
      const at = steps.map((_, k) => own.map((row) => curves[row][k])
        .filter((value) => value !== null));
      const over = (reduce) => at.map((x) => x.length ? reduce(x) : null);
      return [{...look, fill: "toself", fillcolor: colors()[i], opacity: 0.16,
        line: {width: 0}, showlegend: false, hoverinfo: "skip",
        ...outline(steps, over((x) => Math.min(...x)),
          over((x) => Math.max(...x)))},
      {...look, x: steps, showlegend: true, line: {color: colors()[i], width: 2},
        y: over((x) => x.reduce((a, b) => a + b) / x.length),
        hovertemplate: "%{fullData.name}: %{y:.4~g}<extra></extra>"}];
    });
    return {data: found, frames: [], layout: {hovermode: "closest",
      xaxis: {title: {text: data.steps}},
      yaxis: {title: {text: plain(name)}, type: log ? "log" : "linear"},
      meta: {panels: 1, columns: 1, least: 200, height: 320, share: "",
        names: {}, titled: false}}};
  };

  const show = () => {
    const rows = chosen();
    const lost = metric().at.filter((value) => value === null).length;
    status.textContent = `${rows.length} of ${data.of} points`
      + (lost ? `; ${lost} without a finite value have no line above` : "")
      + (!state.mean && rows.length > LINES ? `; curves of ${LINES}` : "");
    learning.hidden = metric().steps.length < 2;
    for (const node of [parallel, learning]) if (node.drawn) draw(node);
  };
  const set = (change) => { Object.assign(state, change); show(); };
  const options = (texts) => texts.map((text, i) => [i, text]);
  const mean = element("input", {type: "checkbox",
    onchange: () => set({mean: mean.checked})});
  const by = choice("Colour by", [[-1, "nothing"],
    ...options(data.fields.map((own) => own.name))],
  (value) => set({by: Number(value)}));
  by.querySelector("select").value = state.by;
  host.querySelector(".controls").append(
    choice("Metric", options(data.metrics.map((own) => own.name)),
      (value) => set({metric: Number(value)})), by,
    element("label", {}, mean, "mean and range of each colour"),
    ...data.fields.map((own, i) => choice(own.name,
      [["", "any"], ...options(own.groups)], (value) => {
        state.only[i] = value;
        show();
      })));
  host.rows = () => [[...data.fields, ...data.metrics].map((own) => own.name),
    ...chosen().map((row) => [...data.fields.map((own) => own.says[row]),
      ...data.metrics.map((own) => own.last[row])])];
  show();
}
