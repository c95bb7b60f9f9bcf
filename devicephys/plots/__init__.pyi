from .fields import fields_figure as fields_figure
from .film import loop_animation as loop_animation
from .iv import iv_figure as iv_figure
from .iv import time_figure as time_figure
from .paraview import write_vtkhdf as write_vtkhdf
from .pulses import pulses_figure as pulses_figure
from .style import save_figure as save_figure
from .switching_time import switching_figure as switching_figure
