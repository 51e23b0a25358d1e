"""Several processes that train one run.

ranks      which process this is, and how processes sum tensors, send messages and report failures
sharding   how a model is distributed: a copy in each process (DDP), or a shard of every weight (FSDP2)
processes  the share of one process in every update; the one object that the training loop sees
"""
