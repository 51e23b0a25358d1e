"""The page.

page          the value that all tabs share, and error handling of Gradio's events
theme         Gradio's theme, in the page's colours and fonts
views         interactive views: one folder each with HTML, CSS and JavaScript
header_view   the header: the run, its state, the tour
"""
