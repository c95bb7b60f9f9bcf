"""Pictures of trains, fits and tables."""
