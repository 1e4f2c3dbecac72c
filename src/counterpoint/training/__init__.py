"""How the embedded model and its recognisers are trained: one file per part, each a command.

`vae` learns the picture's compression, `latents` encodes scenes and captions once, `unet` learns to
draw them, `recogniser` learns to name what a picture shows, `assemble` writes one diffusers folder.
`loop`, `config`, `log` and `text` are what they share. Nothing here is imported at inference time.
"""
