"""Links code in prose, such as `bnjax.batch_norm`, to what the API says of it.

So a page reads the same where it is not built.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

_NAME = re.compile(r"bnjax(\.\w+)+")


class CodeLinks(SphinxPostTransform):
  """Once all pages are read."""

  default_priority = 5  # before references are resolved

  def run(self, **kwargs: Any) -> None:
    """Links what the API has."""
    objects = self.env.domains.python_domain.objects
    for node in list(self.document.findall(nodes.literal)):
      name = node.astext()
      linked = isinstance(node.parent, nodes.reference)
      if not _NAME.fullmatch(name) or name not in objects or linked:
        continue
      found = objects[name]
      page = self.env.current_document.docname
      link = make_refnode(
        self.app.builder, page, found.docname, found.node_id, node.deepcopy()
      )
      node.replace_self(link)


def setup(app: Sphinx) -> dict[str, Any]:
  """Adds the transform."""
  app.add_post_transform(CodeLinks)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
