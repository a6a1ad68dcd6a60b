"""Macro-micro models: arrays in, estimates out. Knows torch and MLflow, never Dagster or the lake."""
