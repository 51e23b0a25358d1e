"""The server behind the page: training processes, models in memory, queue, quotas. No file here builds a part of a page.

run_lookup      the runs of this host, its learners' and the shipped ones
run_feed        a run's events, for pages that read on from an offset
run_data        a run's prompts, end token and probe text, and right answers
recordings      the attention that training recorded of one fixed text
sessions        the processes that train
host_scheduler  the queue, time limits and storage of a shared host
storage, downloads
models          trained models in memory
machine_speed, plan   what a run will cost on this machine
recent          a cache of bounded size
controls        the form of a run
tokenizer_gate  one tokenizer is trained at a time
actions         start, stop, change and delete runs, for buttons and scripts
checks          checks of requests, and errors as sentences
"""
