"""Systems: the place where parts of the package meet, and the recipes of the shipped weights."""
