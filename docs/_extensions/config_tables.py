"""The directive `config-tables`: what each group of a config may be.

A row for each name of a table, with the arguments it takes and their defaults.
"""

import inspect
from collections.abc import Callable
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# What the engine gives an entry, and no config.
OWN = ("num_classes", "norm", "steps")


class ConfigTables(SphinxDirective):
  """For a page in Markdown."""

  def run(self) -> list[nodes.Node]:
    """Returns a table a group."""
    from bnjax.lab.config import GROUPS

    lines: list[str] = []
    for group, (table, _) in GROUPS.items():
      lines += [f"`{group}.name`:", "", "| name | arguments |", "|---|---|"]
      for name, entry in table.items():
        listed = ", ".join(f"`{text}`" for text in arguments(group, entry))
        lines.append(f"| `{name}` | {listed} |")
      lines.append("")
    parent = nodes.container()
    self.state.nested_parse(StringList(lines, "config-tables"), 0, parent)
    return parent.children


def arguments(group: str, entry: Callable[..., Any]) -> list[str]:
  """Returns the arguments of an entry that a config may set.

  Args:
    group: name of its table.
    entry: of the table.
  """
  return [
    p.name if p.default is p.empty else f"{p.name}={p.default!r}"
    for p in inspect.signature(entry).parameters.values()
    if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    and (group not in ("model", "schedule") or p.name not in OWN)
  ]


def setup(app: Sphinx) -> dict[str, Any]:
  """Adds the directive."""
  app.add_directive("config-tables", ConfigTables)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
