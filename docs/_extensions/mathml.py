"""Renders mathematics as MathML, which browsers draw without any script."""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def to_mathml(node: nodes.Element, display: str) -> str:
  """Returns the MathML of a node's LaTeX; warns of what is not known."""
  latex = node.astext()
  mathml = convert(latex, display=display)
  if ">\\" in mathml:  # A command that it does not know stays as it is.
    logger.warning("LaTeX that has no MathML: %s", latex, location=node)
  return mathml


def visit_inline(self: Any, node: nodes.math) -> None:
  """Writes a formula in a line."""
  self.body.append(to_mathml(node, "inline"))
  raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
  """Writes a formula in a block, whose label can be linked to."""
  self.body.append(self.starttag(node, "div", CLASS="math-block"))
  self.body.append(to_mathml(node, "block") + "</div>\n")
  raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
  """Adds the renderer."""
  app.add_html_math_renderer(
    "mathml", (visit_inline, None), (visit_block, None)
  )
  return {"parallel_read_safe": True, "parallel_write_safe": True}
