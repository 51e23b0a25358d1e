"""The command line, `python -m engine`.

main         the parser and its commands
commands     what each command does, and its own flags
flags        flags derived from the configuration's fields
choose_run   find the run and the checkpoint that a command names
progress     the progress line of training
loggers      TensorBoard, Weights & Biases, Trackio
signals      Ctrl-C and termination
"""
