from ddkbase.cli.progress import Display as Display
from ddkbase.cli.progress import State as State

from .execution import Outcome as Outcome
from .execution import resume as resume
from .execution import start as start
from .figures import Figure as Figure
from .figures import Table as Table
from .figures import compare_runs as compare_runs
from .figures import entries as entries
from .figures import figures_of as figures_of
from .figures import table as table
from .kinds import end_of as end_of
from .pictures import read_records as read_records
from .pictures import redraw as redraw
from .request import Request as Request
