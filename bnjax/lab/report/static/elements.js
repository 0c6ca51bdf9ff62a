// Elements and controls. All text is set as text: a name cannot be markup.

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(made.style, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function button(text, onclick) {
  return element("button", {type: "button", onclick}, text);
}

/** A button that is on or off. */
function toggle(text, on, onchange) {
  const made = button(text, () => {
    const now = made.getAttribute("aria-pressed") !== "true";
    made.setAttribute("aria-pressed", now);
    onchange(now);
  });
  made.setAttribute("aria-pressed", on);
  return made;
}

/** A labelled choice; options are [value, text] or {group, options}. */
function choice(label, options, value, onchange) {
  const option = ([own, text]) =>
    element("option", {value: own, selected: String(own) === String(value)},
      text);
  const select = element("select",
    {onchange: () => onchange(select.value)},
    ...options.map((one) => one.group
      ? element("optgroup", {label: one.group}, ...one.options.map(option))
      : option(one)));
  return element("label", {}, element("span", {}, label), select);
}

/** Buttons of which one is on. */
function switcher(label, options, value, onchange) {
  const buttons = options.map(([own, text]) => {
    const made = button(text, () => {
      for (const other of buttons)
        other.setAttribute("aria-pressed", other === made);
      onchange(own);
    });
    made.setAttribute("aria-pressed", own === value);
    return made;
  });
  return group(label, ...buttons);
}

function group(label, ...children) {
  return element("div", {class: "set", role: "group", "aria-label": label},
    element("span", {"aria-hidden": true}, label), ...children);
}

/** Puts something at the end of the line of a part's heading. */
function besideHeading(host, made) {
  const title = host.querySelector("h2, h3");
  const line = element("div", {class: "line"});
  title.replaceWith(line);
  line.append(title, made);
}

function sentence(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function plural(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}

/** A number in few digits. */
function brief(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6)
    return value.toLocaleString("en");
  return Number(value.toPrecision(digits)).toString();
}

/** Text for Plotly, which reads some markup in it. */
function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}

const finite = (values) => values.filter((x) => Number.isFinite(x));
const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const average = (values) => values.reduce((a, b) => a + b, 0) / values.length;
