"""One table, for the terminal, for Markdown and for the page.

Cells are plain text that may come from a config or a file: each rendering
escapes what it would take for markup.
"""

import dataclasses
import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from rich import box, cells, console, measure, padding, table, text

from bnjax.lab.errors import plain as plain

# Text that is drawn in a colour wherever it is a whole cell. The colour only
# repeats what the words say.
STYLES = {
  "holds": "green",
  "does not hold": "red",
  "undecided": "yellow",
  "cannot be compared": "dim",
}

# What stands in a cell where there is nothing to say.
NONE = "\N{EN DASH}"

# Columns that a narrow terminal does without, before it does others.
_SPARED = ("margin", "difference [95%]", "95% interval")

# Before a ratio.
TIMES = "\N{MULTIPLICATION SIGN}"


# A number, perhaps in brackets, and no sentence that begins with one.
_NUMBER = rf"[-+\[≥≤{TIMES} ]*[\d.](?![^ ]* (?!to |of )[A-Za-z])|{NONE}$|$"


@dataclasses.dataclass(frozen=True)
class Table:
  """A table of text.

  Attributes:
    title: one line above it.
    columns: the headings.
    rows: cells, as many in each row as there are columns.
    notes: lines printed below it.
    verdicts: cells that are drawn in a colour.
  """

  title: str
  columns: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]
  notes: tuple[str, ...] = ()
  verdicts: ClassVar[Mapping[str, str]] = STYLES

  @classmethod
  def of(
    cls,
    title: str,
    rows: Sequence[Mapping[str, str]],
    notes: Iterable[str] = (),
  ) -> "Table":
    """A table of rows by column: {heading: cell}, alike in their order."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    cells = (tuple(row.get(name, NONE) for name in columns) for row in rows)
    return cls(title, columns, tuple(cells), tuple(notes))

  def is_number(self, column: int) -> bool:
    """Whether a column is aligned to the right: it holds numbers."""
    own = [row[column] for row in self.rows]
    return all(re.match(_NUMBER, cell) for cell in own)


def escape_markdown(value: str) -> str:
  r"""Escapes what Markdown, its tables and inline HTML give a meaning.

  >>> escape_markdown("<b>|*x* batch_norm")
  '&lt;b&gt;\\|\\*x\\* batch_norm'
  """
  value = html.escape(plain(value).strip(), quote=False)
  # An interval, but not as the text of a link, needs no escape.
  interval = r"\[[-+\d.,e ]+\](?![(\[:])"
  value = re.sub(
    rf"({interval})|([\\`*|~$\[\]])", lambda m: m[1] or f"\\{m[2]}", value
  )
  value = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", value)
  # What begins a list, a heading or a rule.
  return re.sub(r"^(\d+(?=[.)])|)([-+#=.)])(?![\d.])", r"\1\\\2", value)


def to_markdown(tab: Table) -> str:
  """The table in GitHub's Markdown, its title as a heading."""
  return f"### {escape_markdown(tab.title)}\n\n{markdown_rows(tab)}\n"


def markdown_rows(tab: Table) -> str:
  """The table in GitHub's Markdown, and its notes; not its title."""
  rule = ["--:" if tab.is_number(i) else "---" for i in range(len(tab.columns))]
  escaped = [[escape_markdown(c) for c in row] for row in tab.rows]
  rows = [[*map(escape_markdown, tab.columns)], rule, *escaped]
  lines = [f"| {' | '.join(row)} |" for row in rows]
  lines += ["", *(f"- {escape_markdown(note)}" for note in tab.notes)]
  return "\n".join(lines).rstrip()


def to_rich(tab: Table, width: int | None = None) -> table.Table:
  """The table for a terminal of so many columns, without its notes.

  Words stay whole where it does not fit.
  """
  widths = None if width is None else _widths(tab, width)
  drawn = table.Table(
    title=text.Text(plain(tab.title), style="bold"),
    title_justify="left",
    box=box.SIMPLE_HEAD,
    pad_edge=False,
  )
  for index, column in enumerate(tab.columns):
    drawn.add_column(
      text.Text(plain(column)),
      justify="right" if tab.is_number(index) else "left",
      overflow="fold",
      width=widths[index] if widths else None,
    )
  for row in tab.rows:
    drawn.add_row(*(text.Text(plain(c), style=STYLES.get(c, "")) for c in row))
  return drawn


def _fitting(tab: Table, width: int) -> Table:
  """Without columns that would break words: those that tell least, first."""
  shown = list(range(len(tab.columns)))
  least = _longest(tab, str.split)
  while len(shown) > 2 and _total([least[i] for i in shown]) > width:
    names = [tab.columns[i] for i in shown]
    spared = [names.index(name) for name in _SPARED if name in names]
    del shown[(spared or [-2])[0]]
  hidden = [c for i, c in enumerate(tab.columns) if i not in shown]
  if not hidden:
    return tab
  left_out = f"the report has more columns: {', '.join(hidden)}"
  return dataclasses.replace(
    tab,
    columns=tuple(tab.columns[i] for i in shown),
    rows=tuple(tuple(row[i] for i in shown) for row in tab.rows),
    notes=(*tab.notes, left_out),
  )


def _widths(tab: Table, width: int) -> list[int] | None:
  """Of the columns of a table that is too wide: at least its longest word."""
  whole, found = _longest(tab, lambda cell: [cell]), _longest(tab, str.split)
  if _total(whole) <= width or _total(found) > width:
    return None
  for index, natural in enumerate(whole):
    found[index] += min(natural - found[index], width - _total(found))
  return found


def _longest(tab: Table, parts: Callable[[str], list[str]]) -> list[int]:
  """The longest part of each column's cells."""
  columns = zip(tab.columns, *tab.rows, strict=True)
  return [
    max(cells.cell_len(part) for cell in column for part in ["", *parts(cell)])
    for column in columns
  ]


def _total(widths: Sequence[int]) -> int:
  """How wide a table is, of columns so wide."""
  return sum(widths) + 3 * len(widths) - 1


def print_tables(
  tables: Sequence[Table], output: console.Console | None = None
) -> None:
  """Prints tables with their notes, to the terminal if `output` is None.

  Where that is no terminal, its lines are made as long as the tables need.
  """
  output = output or console.Console(highlight=False)
  for tab in tables:
    if output.is_terminal:
      tab = _fitting(tab, output.width)
    drawn = to_rich(tab, output.width if output.is_terminal else None)
    if not output.is_terminal:
      wide = output.options.update(width=10_000)
      natural = measure.Measurement.get(output, wide, drawn).maximum
      output.width = max(output.width, natural)
    output.print(drawn)
    for note in tab.notes:
      output.print(
        padding.Padding(text.Text(plain(note)), (0, 0, 0, 2), expand=False)
      )
    output.print()
