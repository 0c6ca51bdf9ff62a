"""One self-contained HTML page: the tables, and the figures inside it."""

import base64
import html
import pathlib
from collections.abc import Mapping, Sequence

from bnjax.report.render import Table, plain, to_html

_STYLE = """
:root { color-scheme: light dark; --line: #ddd; --soft: #666; --good: #00734f;
  --bad: #b23a00; --open: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --line: #444; --soft: #aaa;
  --good: #4fd3a8; --bad: #ff9a5c; --open: #f0c050; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin: 2.5rem 0 .5rem; font-size: 1.15rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left;
  border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.verdict { font-weight: 600; white-space: nowrap; }
.holds { color: var(--good); } .does-not-hold { color: var(--bad); }
.undecided { color: var(--open); } .cannot-be-compared { color: var(--soft); }
.notes, footer { color: var(--soft); font-size: .85rem; }
.warning { border-left: 4px solid var(--bad); padding-left: .8rem; }
figure { margin: 2rem 0; } img { max-width: 100%; height: auto; width: 50rem;
  background: white; border-radius: 6px; padding: .5rem; box-sizing: border-box;
} dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
"""


def make_page(
  title: str,
  tables: Sequence[Table],
  figures: Sequence[pathlib.Path],
  facts: Mapping[str, str],
  warnings: Sequence[str] = (),
) -> str:
  """Writes the page as one string that needs no other file.

  Args:
    title: its heading; plain text, as all text here is.
    tables: in the order of reading.
    figures: PNG files; each one's stem becomes its description.
    facts: name -> text, for the foot of the page.
    warnings: lines to read before anything else.

  Returns:
    HTML.
  """
  heading = html.escape(plain(title))
  warned = "".join(
    f'<p class="warning">{html.escape(plain(line))}</p>\n' for line in warnings
  )
  drawn = "\n".join(_figure(path) for path in figures)
  listed = "".join(
    f"<dt>{html.escape(plain(name))}</dt><dd>{html.escape(plain(text))}</dd>\n"
    for name, text in facts.items()
  )
  first, rest = tables[:1], tables[1:]
  return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{heading}</h1>
{warned}{"".join(map(to_html, first))}
{drawn}
{"".join(map(to_html, rest))}
<footer><h2>How it was made</h2>
<dl>
{listed}</dl></footer>
</body>
</html>
"""


def _figure(path: pathlib.Path) -> str:
  data = base64.b64encode(path.read_bytes()).decode("ascii")
  alt = html.escape(f"figure: {path.stem.replace('_', ' ')}")
  return (
    f'<figure><img alt="{alt}" src="data:image/png;base64,{data}"></figure>'
  )
