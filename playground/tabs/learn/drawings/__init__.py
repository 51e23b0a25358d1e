"""The figures of lessons that code draws from `numbers`, so that no point is placed by hand.

    python -m playground.tabs.learn.drawings      draws all of them into assets/lessons/figures

svg             labels, and charts with axes
charts          curves, bars and small pictures
forward_passes  what forward passes measured: attention, the logit lens, the residual stream
landscape       the loss landscape, from above and in profile
"""
