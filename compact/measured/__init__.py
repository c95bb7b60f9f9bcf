"""Measured files of many makes become pulse trains."""
