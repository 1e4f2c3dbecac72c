"""The HTTP server: pictures in OpenAI's shape, under the operator's rules.

One request on its way, each stop a file:

    access_log -> auth -> body_limit -> disconnect        pure ASGI, see app.py
    schemas, forms -> policy                              what was asked, within what the operator allows
    responses -> fulfil                                   in one piece, or in parts (events)
    gate_thread                                           texts and sent pictures are read before anything waits
    picture_queue -> worker -> drawing                    one thread, one model, compatible pictures together
    answers                                               marked, encoded, reported

An error anywhere is an answer without a picture; see errors.py.
"""
