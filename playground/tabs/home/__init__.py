"""The first screen: a model of words at work, one word at a time."""
