"""Methods side by side: each draws the same prompts from the same noise with one model.

One method, one file; the file's name is the method's name. A file holds a frozen dataclass
`Options`, whose fields are all that can be set, and `build(pipe, options)`, which returns the method.
"""
