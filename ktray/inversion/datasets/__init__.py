"""Inputs: published files as they are, generated texts by source and category, pieces of any corpus.

Read `files`; `generate` draws from `sources`, the categories of `strings`, `logs`, `yamls`, `tables`, `dna` and
`scripts`.
"""
