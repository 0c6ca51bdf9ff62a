// A slider over training steps.

/** A labelled range over steps, at the last one; nothing where there is one. */
function stepSlider(steps, onchange) {
  const text = (i) => `step ${steps[i].toLocaleString("en")}`;
  const output = element("output", {}, text(steps.length - 1));
  const input = element("input", {type: "range", min: 0,
    max: steps.length - 1, value: steps.length - 1, step: 1,
    "aria-valuetext": text(steps.length - 1),
    oninput: () => {
      const now = text(Number(input.value));
      output.textContent = now;
      input.setAttribute("aria-valuetext", now);
      onchange(Number(input.value));
    }});
  const made = element("label", {class: "slider"},
    element("span", {}, "Step"), input, output);
  made.hidden = steps.length < 2;
  return made;
}
