"""Benchmarks: figures with the commands that make them. They measure and print; nothing here is a test."""
