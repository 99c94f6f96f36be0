"""SeqCoder: models of our own, trained on program-sequence pairs. Read `sketch` first.

A sketch is a program with holes that the sequence itself fills; `tokens` spells it, `stream` draws pairs to
train on, `model` and `loop` train, `scoring` measures.
"""
