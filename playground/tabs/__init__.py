"""The page's tabs, a folder each: `tab.py` builds it, `server.py` answers its view, and `view/` draws."""
