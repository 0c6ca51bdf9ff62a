// A table with filters, order and pages: of rows that are there, or are made.

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name === "style") Object.assign(made.style, value);
    else if (name.startsWith("on")) made[name] = value;
    else made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function choice(label, options, onchange) {
  const select = element("select", {onchange: () => onchange(select.value)},
    ...options.map(([value, text]) => element("option", {value}, text)));
  return element("label", {}, element("span", {}, label), select);
}

const plural = (count, [one, many]) =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** Puts controls before a table, whose rows are then those that they choose.

Columns have a name and, where they give an order, a value for each row; `down`
says that the greatest comes first. `row(i)` is an element, `fits(i)` whether it
is chosen, `filters` makes the controls of that: each calls what it is given.
*/
function filtered(table, {columns, count, row, fits, filters, called, none,
  sort = -1, ties = null, sizes = [25, 50, 100], of = ""}) {
  const state = {sort, down: true, page: 0, size: sizes[0]};
  const status = element("p", {class: "said", role: "status"});
  const [head, body] = [table.tHead.rows[0], table.tBodies[0]];
  let found = [];
  const compare = (a, b) => typeof a === "number" ? a - b
    : a.localeCompare(b, "en", {numeric: true});
  const set = (change = {}) => {
    Object.assign(state, {page: 0}, change);
    const {values} = columns[state.sort] ?? {};
    const sign = state.down ? -1 : 1;
    found = Array.from({length: count}, (_, i) => i).filter(fits);
    if (values) found.sort((a, b) => sign * compare(values[a], values[b])
      || (ties ? ties[a] - ties[b] : a - b));
    show();
  };
  const show = () => {
    const from = state.page * state.size;
    const rows = found.slice(from, from + state.size);
    body.replaceChildren(...rows.map(row));
    const text = (x) => x.toLocaleString("en");
    status.textContent = rows.length ? `${text(from + 1)} to ${
      text(from + rows.length)} of ${plural(found.length, called)}${of}` : none;
    back.disabled = !state.page;
    next.disabled = from + state.size >= found.length;
    columns.forEach(({name, values}, i) => {
      if (!values) return;
      const on = i === state.sort;
      head.cells[i].setAttribute("aria-sort", !on ? "none"
        : state.down ? "descending" : "ascending");
      head.cells[i].firstChild.textContent =
        name + (on ? (state.down ? " ↓" : " ↑") : "");
    });
  };
  columns.forEach(({name, values, down = false}, i) => {
    if (values) head.cells[i].replaceChildren(element("button",
      {type: "button", onclick: () => set({sort: i,
        down: state.sort === i ? !state.down : down})}, name));
  });
  const turn = (by) => { state.page += by; show(); };
  const [back, next] = [["Previous", -1], ["Next", 1]].map(([text, by]) =>
    element("button", {type: "button", onclick: () => turn(by)}, text));
  table.closest(".wide").before(
    element("div", {class: "controls"}, ...filters(() => set()),
      choice("Rows", sizes.map((x) => [x, x === count ? "all" : String(x)]),
        (size) => set({size: Number(size)}))),
    element("div", {class: "controls"}, back, next, status));
  set();
  return () => found;
}

/** Filters of the columns that ask for one, and of any words, over a table. */
function filterTable(host, called) {
  const table = host.querySelector("table");
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((cell) => cell.textContent);
  const text = (cell) => cell.dataset.is ?? cell.textContent;
  const columns = heads.map((cell, i) => ({name: names[i],
    values: "filter" in cell.dataset ? rows.map((own) => text(own.cells[i]))
      : undefined}));
  const whole = rows.map((own) => own.textContent.toLowerCase());
  const only = new Map(); // column -> its chosen value
  let words = [];
  const found = filtered(table, {columns, count: rows.length, called,
    none: `No ${called[0]} is so.`,
    sizes: [...[25, 50, 100].filter((x) => x < rows.length), rows.length],
    row: (i) => rows[i],
    fits: (i) => words.every((word) => whole[i].includes(word))
      && [...only].every(([k, value]) => columns[k].values[i] === value),
    filters: (again) => [...heads.flatMap(({dataset}, k) => {
      if (!columns[k].values) return [];
      const values = [...new Set(columns[k].values)].sort((a, b) =>
        a.localeCompare(b, "en", {numeric: true}));
      return [choice(dataset.filter, [["", "any"],
        ...values.map((value) => [value, value])], (value) => {
        if (value) only.set(k, value);
        else only.delete(k);
        again();
      })];
    }), element("label", {}, element("span", {}, "Words"),
      element("input", {type: "search", oninput: ({target}) => {
        words = target.value.toLowerCase().split(/\s+/).filter(Boolean);
        again();
      }}))]});
  host.rows = () => [names, ...found().map((i) =>
    [...rows[i].cells].map((cell) => [...cell.childNodes].map((own) =>
      own.textContent).join(" ")))];
}
