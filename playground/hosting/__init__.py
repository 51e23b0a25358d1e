"""The server behind the page: the processes that train, the queue and the storage of a shared host, and their answers.

processes       the processes that train, one per run
run_queue       who may start, who waits, and who is next
host_scheduler  the queue, time limits and storage of a shared host, checked again and again
storage         the disk quota of learners' runs
downloads       runs as zips
run_feed        a run's events, for pages that read on from an offset
actions         start, stop, change and delete runs, for buttons and scripts
checks          checks of requests, and errors as sentences
neighbours      where the page and the dashboard find each other
"""
