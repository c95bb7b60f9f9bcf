"""Pictures of features, training, arrays and chips."""
