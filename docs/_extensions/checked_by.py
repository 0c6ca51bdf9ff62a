"""The directive `checked-by`: shows the test that checks a statement.

    ```{checked-by} tests/ops/moments_test.py::test_literal_values
    ```

A test that is moved or renamed makes the build fail.
"""

import pathlib
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.directives.code import LiteralIncludeReader
from sphinx.util.docutils import SphinxDirective

ROOT = pathlib.Path(__file__).parent.parent.parent


class CheckedBy(SphinxDirective):
  """`path::function`, or a path alone for a whole file."""

  required_arguments = 1

  def run(self) -> list[nodes.Node]:
    """Returns a folded block of the test's source."""
    where = self.arguments[0]
    name, _, function = where.partition("::")
    path = ROOT / name
    self.env.note_dependency(str(path))
    options = {"pyobject": function} if function else {}
    try:
      reader = LiteralIncludeReader(str(path), options, self.config)
      text, _ = reader.read()
    except (OSError, ValueError) as error:
      return [self.state.document.reporter.error(str(error), line=self.lineno)]
    code = nodes.literal_block(text, text, language="python")
    summary = f"<summary>Checked by <code>{where}</code></summary>"
    return [
      nodes.raw("", f'<details class="checked-by">{summary}', format="html"),
      code,
      nodes.raw("", "</details>", format="html"),
    ]


def setup(app: Sphinx) -> dict[str, Any]:
  """Adds the directive."""
  app.add_directive("checked-by", CheckedBy)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
