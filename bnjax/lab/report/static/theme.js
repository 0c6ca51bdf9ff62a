// Light and dark: the page by its style sheet, charts by what is read from it.

const isDark = () => document.documentElement.dataset.theme === "dark";

function colour(name) {
  return getComputedStyle(document.documentElement)
    .getPropertyValue(`--${name}`).trim();
}

/** The colour of an arm or line on the page as it is. */
const shade = (look) => isDark() ? look.dark : look.color;

/** A hexadecimal colour that lets through what is behind it. */
function clear(hex, alpha) {
  const parts = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `rgba(${parts.join(",")},${alpha})`;
}

function setUpTheme() {
  const apply = (dark, keep) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    if (keep) {
      try {
        localStorage.setItem("bnjax-theme", dark ? "dark" : "light");
      } catch { /* A file may have no storage. */ }
    }
    updateCharts();
  };
  const made = toggle("Dark", isDark(), (on) => apply(on, true));
  document.getElementById("theme").append(made);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change",
    (event) => {
      made.setAttribute("aria-pressed", event.matches);
      apply(event.matches, false);
    });
}
