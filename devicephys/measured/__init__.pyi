from .comparison import measured_band as measured_band
from .comparison import misfit_rows as misfit_rows
from .loops import read_loop as read_loop
from .ramps import waveform_of as waveform_of
