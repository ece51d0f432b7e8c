"""Autoregressive models: one distribution for each token, given those before it."""
