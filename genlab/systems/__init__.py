"""Systems: one chapter each, where parts of the library meet."""
