from .kinetics import alpha_beta_figure as alpha_beta_figure
from .kinetics import fit_figure as fit_figure
from .kinetics import loops_figure as loops_figure
from .kinetics import patterns_figure as patterns_figure
from .table import by_setting_figure as by_setting_figure
from .table import region_figure as region_figure
from .table import trains_figure as trains_figure
from .table import trends_figure as trends_figure
