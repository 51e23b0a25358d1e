"""The command line, `python -m engine`: one file per group of commands.

main         the parser, and the commands train, resume, generate, export, import
flags        flags derived from the configuration's fields
runs         list, compare, rename, export and delete stored runs
prepare, download, translate, ablate, race
choose_run   find the run and the checkpoint that a command names
progress     the progress line of training
loggers      TensorBoard, Weights & Biases, Trackio
signals      Ctrl-C and termination
"""
