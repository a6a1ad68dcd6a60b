"""Paper mode: the grid of Song et al. 2024 (fusion × personalisation × weighting), rebuilt without its traps."""
