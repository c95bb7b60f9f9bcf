"""Pictures and ParaView files of loops, fields, pulse trains and switching times."""
