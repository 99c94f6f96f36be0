"""Invertible code reasoning: do models execute and invert lossless compression programs?

Read `algorithms` (the reference programs), `tasks` (what is asked), `prompting` (how), `answers` and
`scoring` (what came back). `blinding`, `traces`, `translation`, `sft`, `inference`, `reflection` and
`ablation` build on those; `ports` holds the one seam, the sampler.
"""
