"""Behaviour against independent references; the tree mirrors the code."""
