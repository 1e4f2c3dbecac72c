"""The HTTP server: pictures in OpenAI's shape, under the operator's rules.

One request on its way, each stop a file:

    access_log -> auth -> body_limit -> disconnect        pure ASGI, see app.py
    schemas -> policy                                     what was asked, within what the operator allows
    gate_thread                                           the texts are read before anything waits
    picture_queue -> worker -> drawing                    one thread, one pipeline, compatible pictures together
    answers                                               marked, encoded, reported

An error anywhere is an answer without a picture; see errors.py.
"""
