"""The page as one string of HTML."""

import html
from collections.abc import Sequence

from bnjax.lab.report.page import assets
from bnjax.lab.report.page.experiment import Experiment
from bnjax.lab.report.page.payload import payload
from bnjax.lab.report.page.sections import anchor, overview, section
from bnjax.lab.report.render import plain

# No part of the page comes from anywhere else, and nothing can make it.
_POLICY = (
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
  "img-src data: blob:; base-uri 'none'; form-action 'none'"
)


def make_page(experiments: Sequence[Experiment], title: str = "") -> str:
  """Writes the page of a run or of several; it needs no other file.

  Args:
    experiments: in the order of the page.
    title: its heading; that of the only experiment if empty.

  Returns:
    HTML. Without Plotly installed it has the tables alone, and says so.

  Raises:
    ValueError: a figure's options do not fit what was recorded.
  """
  heading = html.escape(plain(title or experiments[0].title))
  several = bool(title)
  data = {anchor(i): payload(one) for i, one in enumerate(experiments)}
  sections = "\n".join(
    section(one, anchor(i), data[anchor(i)], several=several)
    for i, one in enumerate(experiments)
  )
  # Each one's data by itself: it is read when its section is.
  scripts = "".join(
    f'<script type="application/json" id="{name}-data">'
    f"{assets.embed(own)}</script>\n"
    for name, own in data.items()
  )
  return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{heading}</title>
<link rel="icon" href="data:,">
<script>{assets.first_script()}</script>
<style>{assets.style()}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
<header class="top">
<h1>{heading}</h1>
<div id="theme"></div>
</header>
<noscript><p class="warning">The charts need JavaScript; the tables do not.</p>
</noscript>
{_without_charts()}<main id="main">
{overview(experiments) if several else ""}
{sections}
</main>
{scripts}<script type="text/plain" id="plotly">{assets.plotly()}</script>
<script>{assets.script()}</script>
</body>
</html>
"""


def _without_charts() -> str:
  if assets.plotly():
    return ""
  return f'<p class="warning">{html.escape(assets.MISSING)}</p>\n'
