"""How Sphinx builds the documentation: `cd docs; make html`, without a network."""

import os
from importlib import metadata

project = "hops"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "hops"
html_show_copyright = False

default_role = "code"  # what a docstring writes in single backticks
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_custom_sections = ["Source"]
napoleon_include_init_with_doc = True
napoleon_use_rtype = False
myst_enable_extensions = ["deflist", "substitution"]
myst_heading_anchors = 3

nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!hops\.).*"),  # looking up names of others needs the network
    ("py:class", r"hops\..*\._\w+"),  # a private base class has no page
]
if "INTERSPHINX" in os.environ:
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {"python": ("https://docs.python.org/3", None)}

myst_substitutions = {
    name.removeprefix("hops-"): f"`{name}` {metadata.version(name)}"
    for name in {each.name for each in metadata.distributions()}
    if name.startswith("hops-")
}
