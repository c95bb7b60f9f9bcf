from ddkbase.pictures import save_figure as save_figure

from .features import comparison_figure as comparison_figure
from .features import fits_figure as fits_figure
from .features import map_fits_figure as map_fits_figure
from .hardware import accuracy_figure as accuracy_figure
from .hardware import bars_figure as bars_figure
from .hardware import cost_figure as cost_figure
from .hardware import endurance_figure as endurance_figure
from .hardware import placement_figure as placement_figure
from .hardware import study_figure as study_figure
from .programming import programming_figure as programming_figure
from .training import curves_figure as curves_figure
from .training import trajectories_figure as trajectories_figure
