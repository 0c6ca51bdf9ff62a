"""The documentation: `make docs` builds it, and any warning is an error."""

import pathlib
import sys

import bnjax

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "bnjax"
author = "The bnjax authors"
copyright = author
version = release = bnjax.__version__

extensions = [
  "myst_nb",  # Markdown pages, and notebooks run as they are read
  "sphinx.ext.autodoc",
  "sphinx.ext.napoleon",
  "sphinx.ext.viewcode",
  "sphinx_copybutton",
  # Ours, in _extensions.
  "checked_by",
  "code_links",
  "docstrings",
  "gallery",
  "local_links",
  "mathml",
  "submodules",
]
exclude_patterns = ["_extensions", "results"]  # see _extensions/gallery.py

# Every link must lead somewhere. Docstrings write `name` for links and for
# code alike, and types have names of other libraries: those may lead nowhere.
nitpicky = True
nitpick_ignore_regex = [(r"py:(obj|class|data|exc)", r"(?s).*")]
default_role = "py:obj"
suppress_warnings = ["ref.python"]  # a name that two modules have

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_timeout = 600  # against hanging: each takes half a minute
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 72
python_use_unqualified_type_names = True
napoleon_custom_sections = ["Reference"]
napoleon_use_ivar = True
napoleon_use_rtype = False

# Opens from disk, with nothing from a network: no fonts, no scripts.
html_theme = "furo"
html_title = f"bnjax {release}"
html_static_path = ["_static"]
html_css_files = ["bnjax.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
