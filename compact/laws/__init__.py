"""Laws of a cell and its pulses beside Eqs. (3) and (4), a module for each group.

How the oxide of a simulated cell conducts is in `devicephys.fem.fluxes`, `OxideLaws`.

====================================  ===========================================================
`compact.laws.linear_ion_drift`       conduction, Eq. (1), and motion of the border of the doped
                                      region, Eq. (2): the article's simplified memristor
`compact.laws.update_laws`            how much a pulse changes a conductance: alpha/beta, soft
                                      bound, power law, sinh rate, linear, fitted to one train and
                                      compared. A new one is an entry of its table ``LAWS``
`compact.laws.pulse_steps`            how far pulses move a cell by a law, NeuroSim's label
`compact.laws.branches`               up and down trains of one cell as a synapse
====================================  ===========================================================
"""
