"""The numbers of the lessons: no digit is typed by hand.

computed        every {computed: NAME}
running         those of the lessons on writing, training and its failures
two_by_two      those of the lesson on optimizers
forward_passes  measured with forward passes, and stored
curves          measured on real runs, and stored
landscape       the loss around a shipped model, measured and stored
"""
