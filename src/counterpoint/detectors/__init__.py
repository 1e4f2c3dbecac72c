"""Detectors: does this prompt need the safe stream? One file each."""
