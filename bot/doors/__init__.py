"""Thin FastAPI routes."""
