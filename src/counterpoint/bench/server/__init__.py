"""What a really running server must hold under load, faults and time, measured at full size.

    running     servers: in this process, where parts can be broken, and as the real command
    asking      callers, with the standard library alone
    the others  one measurement each; `python -m counterpoint.bench.server --help` lists them

The embedded model draws small pictures at few steps: what is measured is the server, not the model.
"""
