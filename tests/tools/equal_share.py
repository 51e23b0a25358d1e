"""Start the playground as `python playground/app.py` does, but for one thing: its runs do not give way.

The page's server goes before the runs (`processes.give_way`), and so does everything else on the machine. Beside
tests that keep every processor busy, a run would then wait for a minute before it makes its first step.
"""

from __future__ import annotations

import runpy

from playground.hosting import processes

if __name__ == "__main__":
    processes.give_way = lambda pid: None
    runpy.run_path("playground/app.py", run_name="__main__")
