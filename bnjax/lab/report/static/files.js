// Downloads: what is drawn and listed, as CSV made here.

function toCsv(rows) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function save(name, rows) {
  const blob = new Blob([toCsv(rows)], {type: "text/csv"});
  const url = URL.createObjectURL(blob);
  const link = element("a", {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A button that saves the rows which a function gives. */
function csvButton(name, rows) {
  const file = `${name.replace(/[^\w.-]+/g, "_")}.csv`;
  const made = button("CSV", () => save(file, rows()));
  made.setAttribute("title", `Download ${file}`);
  made.setAttribute("aria-label", `Download ${file}`);
  return made;
}

/** Gives every table that is written in the page such a button. */
function addTableButtons(root, name) {
  root.querySelectorAll(".wide > table").forEach((table, i) => {
    if (!table.tHead || table.classList.contains("predictions")) return;
    const rows = () => [...table.rows].map((row) =>
      [...row.cells].map((cell) => cell.textContent));
    const wide = table.parentElement;
    wide.setAttribute("tabindex", 0);
    const made = csvButton(`${name}-table-${i + 1}`, rows);
    const title = wide.previousElementSibling;
    if (/^H\d$/.test(title?.tagName ?? "")) {
      const line = element("div", {class: "line"});
      title.replaceWith(line);
      line.append(title, made);
    } else wide.after(element("div", {class: "controls"}, made));
  });
}

/** Copies the command that runs an experiment again. */
function addCopyButtons(root) {
  for (const block of root.querySelectorAll("pre.command")) {
    const made = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(block.textContent);
        made.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(block);
        made.textContent = "Selected";
      }
    });
    block.after(element("div", {class: "controls"}, made));
  }
}
