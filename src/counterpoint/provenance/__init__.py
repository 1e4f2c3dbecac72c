"""Where a picture comes from: metadata in the file, an invisible mark in the pixels, and reading both back."""
