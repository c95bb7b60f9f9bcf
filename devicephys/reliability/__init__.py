"""What a cell does over years and cycles: bakes, and program-and-verify cycles."""
