from .kinetics import BACKENDS as BACKENDS
from .kinetics import FORMS as FORMS
from .kinetics import STATES as STATES
from .kinetics import Gradients as Gradients
from .kinetics import backward as backward
from .kinetics import forward as forward
