"""The tab Learn.

tab          builds it; `lessons` and `record` answer its views
lesson       the file format of lessons: from readable text to what the page shows
numbers      the numbers that lessons compute, or measured once
drawings     the figures that code draws from these numbers
game         guess the next character, against counts and a model
notebooks    the lessons as notebooks, to download
stored_runs  runs of the lessons' experiments, for who has no time to train
"""

from pathlib import Path

LESSONS = Path(__file__).resolve().parents[3] / "assets" / "lessons"
FIGURES = LESSONS / "figures"
"""The drawings, and the tables of what was measured for them."""
