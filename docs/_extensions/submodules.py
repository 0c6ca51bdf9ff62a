"""The directive `submodules`: the API of each public module of a package.

A module that is added or split shows up by itself.
"""

import importlib
import inspect
import pkgutil
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Submodules(SphinxDirective):
  """`.. submodules:: bnjax.lab.train`: the package, and a section a module."""

  required_arguments = 1

  def run(self) -> list[nodes.Node]:
    """Returns the sections."""
    package = self.arguments[0]
    modules = public_modules(package)
    lines = [f".. automodule:: {package}", ""]
    for function in own_functions(package):
      name = f"{package}.{function}"
      if name in modules:  # A module of that name: only one can be indexed.
        lines += [".. raw:: html", "", f'   <span id="{name}"></span>', ""]
        lines += [f".. autofunction:: {name}", "   :no-index:", ""]
      else:
        lines += [f".. autofunction:: {name}", ""]
    for name in modules:
      lines += [name, "~" * len(name), "", f".. automodule:: {name}"]
      lines += ["   :members:", ""]
    parent = nodes.section()
    parent.document = self.state.document
    self.state.nested_parse(
      StringList(lines, "submodules"), 0, parent, match_titles=True
    )
    return parent.children


def own_functions(package: str) -> list[str]:
  """Returns the public functions that a package's `__init__` defines."""
  return [
    name
    for name, value in vars(importlib.import_module(package)).items()
    if inspect.isfunction(value)
    and value.__module__ == package
    and not name.startswith("_")
  ]


def public_modules(package: str) -> list[str]:
  """Returns the names of the modules in a package, at any depth."""
  path = importlib.import_module(package).__path__
  return sorted(
    module.name
    for module in pkgutil.walk_packages(path, package + ".")
    if "._" not in module.name and not module.ispkg
  )


def setup(app: Sphinx) -> dict[str, Any]:
  """Adds the directive."""
  app.add_directive("submodules", Submodules)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
