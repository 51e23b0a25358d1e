"""The tabs of the page: each file has `build(page)`, called inside its `gr.Tab`."""
