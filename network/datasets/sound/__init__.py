"""Sets of sounds: recordings read, cut into utterances, made into samples."""
