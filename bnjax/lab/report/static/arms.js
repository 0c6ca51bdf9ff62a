// Which arms are shown: one set of buttons for all charts of an experiment.

class Arms {
  constructor(list) {
    this.list = list;
    this.shown = new Set(list.keys());
    this.listeners = [];
  }

  has(arm) { return this.shown.has(arm); }
  name(arm) { return plain(this.list[arm].name); }
  colour(arm) { return shade(this.list[arm]); }
  symbol(arm) { return this.list[arm].symbol || "circle"; }
  marked(arm) { return Boolean(this.list[arm].symbol); }
  listen(listener) { this.listeners.push(listener); }
  changed() { for (const listener of this.listeners) listener(); }

  /** Buttons, one an arm, and all or none where there are many. */
  fill(toolbar) {
    const buttons = this.list.map((arm, i) => {
      const made = toggle("", true, (on) => {
        if (on) this.shown.add(i);
        else this.shown.delete(i);
        this.changed();
      });
      made.className = "arm";
      const swatch = element("span", {class: "swatch"});
      made.append(swatch, element("span", {}, arm.name));
      return made;
    });
    const paint = () => buttons.forEach((made, i) => {
      made.querySelector(".swatch").style.background = this.colour(i);
    });
    paint();
    new MutationObserver(paint).observe(document.documentElement,
      {attributes: true, attributeFilter: ["data-theme"]});
    const all = (on) => () => {
      this.shown = new Set(on ? this.list.keys() : []);
      for (const made of buttons) made.setAttribute("aria-pressed", on);
      this.changed();
    };
    toolbar.setAttribute("role", "group");
    toolbar.setAttribute("aria-label", "Arms");
    toolbar.append(element("span", {class: "title"}, "Arms"), ...buttons);
    if (this.list.length > 3)
      toolbar.append(button("All", all(true)), button("None", all(false)));
  }
}
