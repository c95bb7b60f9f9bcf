"""`AlphaBetaTable`: built from many trains, asked at a setting, inverted, sampled."""
