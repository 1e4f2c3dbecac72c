"""Safe embeddings: what the safe stream is told in place of a prompt. One file each."""
