"""Ablations: train the same run with one change at a time, and test whether the results differ.

suites         suites as data: question, base configuration, variants, seeds
workers        processes or a Ray cluster that train the runs of a suite
comparison     the table of a suite's results
measured       results of suites that ship with the project
significance   means, standard deviations and paired confidence intervals
"""
