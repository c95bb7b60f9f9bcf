from .suite import run as run
from .table import Row as Row
