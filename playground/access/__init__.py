"""Access over the network.

guard      which hosts and origins may use the page; the security headers
bodies     what a request may hold
visitors   the learner and the address of a request
keys       the keys that change a run on a public host
"""
