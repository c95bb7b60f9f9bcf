"""From a measured file of up and down trains to the accuracy of a perceptron on such cells."""
