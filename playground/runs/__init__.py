"""What the page reads of runs. No file here starts or changes one.

run_lookup   the runs of this host, its learners' and the shipped ones
run_states   what each state of a run is called, and how it is marked
run_data     a run's prompts, end token and probe text, and right answers
recordings   the attention that training recorded of one fixed text
phases       noise, letters, words, sentences: where each phase of a run begins
models       trained models in memory
recent       a cache of bounded size
"""
