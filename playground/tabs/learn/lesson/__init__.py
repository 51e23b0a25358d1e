"""The file format of lessons.

file_format  a lesson's header, steps and texts
blocks       what asks, shows or computes: code, figures, formulas, tables, quizzes, exercises
calculator   {= ... | 2}: a number as the expression that it is the value of
formulas     from a line of text to MathML
figures      drawings: checked, and labelled in the language of the page
"""
