"""Strangers' pictures, decoded apart from everything else."""
