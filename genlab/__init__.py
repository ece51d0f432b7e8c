"""genlab: generative models from first principles, one pure function per equation."""

__version__ = "0.1.0"
