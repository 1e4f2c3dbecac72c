"""A closed world of captioned pictures: a subject, at most one object, and a background.

Everything in a picture is known, so what a generator shows can be counted instead of guessed.
`vocabulary` lists the words, `world` says which scenes exist, `captions` puts them into words and
`compose` draws them.
"""
