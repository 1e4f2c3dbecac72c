"""The web page: prompt, dial, picture, and what was done and why. Gradio, on loopback, offline.

    page                     what stands where, and what happens when it is touched
    studio                   from what was asked to a marked file, under the operator's rules
    session, under_way       what one visitor has drawn, in memory, until the tab is closed; what to stop
    dial, markup             HTML of the parts; style.css and theme have their looks
    wording                  sentences: what was done and why, and what is said where there is no picture
    app, stops, quiet        the application; keys, host names, a browser that fetches from nowhere else; the log
    plain_values             nothing that Gradio would take for a file gets in

Pictures travel inside the page's own HTML, so that none is ever written to disk.
"""

from __future__ import annotations

import os

# Gradio and the hub's client read these when they are imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
