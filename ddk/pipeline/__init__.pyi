from .execution import plan as plan
from .execution import run as run
from .file import example_text as example_text
from .file import list_pipelines as list_pipelines
from .job import Outcome as Outcome
