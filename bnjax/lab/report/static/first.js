// Before anything is drawn: light or dark, as chosen before or as the system
// has it.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("bnjax-theme");
  } catch { /* A file may have no storage. */ }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = chosen ?? (dark ? "dark" : "light");
})();
