"""Plots, from results alone: `curves` over samples and lengths, `pairs` of a drawn set."""
