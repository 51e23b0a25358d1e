"""A run before it starts: what a learner can choose, what is wrong with the choice, and what it will cost.

controls        the form, derived from the configuration's fields
choice          what was chosen: a preset, changes, a fork, a text
own_text        a learner's own text, and its tokens
limits          what a checkpoint, this machine and this host do not allow
plan            a choice's problems, cost and name
sizes           three sizes of every model
machine_speed   how fast this machine trains
tokenizer_gate  one tokenizer is trained at a time
"""
