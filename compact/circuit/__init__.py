"""The fitted cell as a circuit element: SPICE and Verilog-A."""
