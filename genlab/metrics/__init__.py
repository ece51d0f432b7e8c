"""Metrics: what a set of samples, or a likelihood, says about a model, and how sure that is.

Every function takes tensors: samples themselves, or their features. A feature network is always an
argument (`genlab.metrics.features` has the one of the course), never a hidden default.
"""
