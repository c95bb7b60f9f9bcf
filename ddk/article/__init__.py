"""What the article states, recounted and redrawn."""
