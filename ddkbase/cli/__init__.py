"""What all command lines share: the application, its options, what it prints."""
