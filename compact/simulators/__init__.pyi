from .aihwkit import to_aihwkit as to_aihwkit
from .crosssim import to_crosssim as to_crosssim
from .neurosim import to_neurosim as to_neurosim
from .steps import PulseSteps as PulseSteps
from .steps import pulse_steps as pulse_steps
