"""Models of other libraries: export to transformers and import from it.

huggingface             a Llama or Mixtral folder from a run, and a run from such a folder
huggingface_config      what each field of their configurations means here, or why it is refused
safetensors_shards      weights spread over several files
"""
