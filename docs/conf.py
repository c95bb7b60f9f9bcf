"""Configuration of the documentation; `make docs` builds it."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "ddk-toolkit"
author = "ddk-toolkit developers"
copyright = "2026, ddk-toolkit developers"
version = release = version_of("ddk-toolkit")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "mathml",
    "commands",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
default_role = "code"
nitpicky = False
highlight_language = "text"  # of listings without a language, which in docstrings are formulas

autodoc_mock_imports = ["torch"]  # several gigabytes that the pages do not need
autosummary_generate = False  # the tables stand on the pages that describe the same names
autosummary_ignore_module_all = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 60
numpydoc_show_class_members = False  # autodoc lists what the pages ask for
numpydoc_class_members_toctree = False

html_theme = "furo"
html_title = "ddk-toolkit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False


def setup(app: Any) -> None:
    """Tell autosummary of abbreviations, after which a summary does not end."""
    from sphinx.ext import autosummary

    autosummary.WELL_KNOWN_ABBREVIATIONS += ("Eq.", "Eqs.", "Fig.", "Figs.", "Commun.")
