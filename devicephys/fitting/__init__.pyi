from .description import FitDescription as FitDescription
from .report import curves_figure as curves_figure
from .report import parameter_rows as parameter_rows
from .report import write_fit as write_fit
from .search import FitEvent as FitEvent
from .search import FitInterrupted as FitInterrupted
from .search import FitResult as FitResult
from .search import fit_device as fit_device
